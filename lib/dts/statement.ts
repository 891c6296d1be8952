/**
 * True if two records have the same source position and the same transaction. A source gives both to all rows of one
 * statement. It compares bytes, because callers walk through whole statements with it.
 * @param left like `right`, a record whose header has been read before: no length is checked here
 */
export function isSameStatement(left: Buffer, right: Buffer): boolean {
  const one = endOfVarints(left, 0, 3)
  const other = endOfVarints(right, 0, 3)
  // Skip version, id and time; and safeSourcePosition, which only says where a reader may restart.
  return (
    isSameText(left, one, right, other) &&
    isSameText(left, endOfText(left, endOfText(left, one)), right, endOfText(right, endOfText(right, other)))
  )
}

function endOfVarints(bytes: Buffer, start: number, count: number): number {
  let at = start
  for (let left = count; left > 0; left--) {
    while ((bytes[at++] as number) >= 0x80);
  }
  return at
}

/** The position after a string. Its length is a zigzag varint. */
function endOfText(bytes: Buffer, start: number): number {
  const end = endOfVarints(bytes, start, 1)
  let length = 0
  for (let at = end - 1; at >= start; at--) length = length * 0x80 + ((bytes[at] as number) & 0x7f)
  return end + length / 2
}

function isSameText(left: Buffer, start: number, right: Buffer, other: number): boolean {
  const length = endOfText(left, start) - start
  for (let at = 0; at < length; at++) {
    if (left[start + at] !== right[other + at]) return false
  }
  return true
}
