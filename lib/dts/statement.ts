/**
 * Whether two records say the same source position and the same transaction: rows of one statement, as far as the
 * source tells statements apart. By their bytes, because whole statements are walked through with it.
 * @param left as `right`, a record whose header has been read before: nothing is checked here
 */
export function isSameStatement(left: Buffer, right: Buffer): boolean {
  const one = endOfVarints(left, 0, 3)
  const other = endOfVarints(right, 0, 3)
  // Neither version and id nor from where a reader may restart are part of what happened.
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

/** An Avro length is zigzag; one byte does for less than 64. */
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
