/*
 * Moves over values without decoding them and without an object that keeps the position, which is twice as fast as
 * `skipValue`. It handles nearly all values: lengths of one byte, not at the very end of the record. For any other
 * value it returns -1, and the caller uses the cursor, which checks every length and reports errors.
 */

/** The position after an `int` of at most two bytes. @returns -1 if it is longer */
export function endOfInt(bytes: Buffer, at: number): number {
  if ((bytes[at] as number) < 0x80) return at + 1
  return (bytes[at + 1] as number) < 0x80 ? at + 2 : -1
}

/** No branch below reads more bytes than this before it compares the position with the end. */
const quickBytes = 24

/** The position after `count` values. @returns -1 if one of them is malformed or unusual */
export function endOfValues(bytes: Buffer, start: number, end: number, count: number): number {
  let at = start
  for (let left = count; left > 0; left--) {
    if (end - at < quickBytes) return -1
    switch (bytes[at++]) {
      case 0: // null
        break
      case 2: // Integer: precision, digits
        at = endOfInt(bytes, at)
        if (at < 0) return -1
        at = endOfShortBytes(bytes, at)
        break
      case 4: // Character: charset, bytes
      case 22: // TextObject: type, text
        at = endOfShortBytes(bytes, at)
        if (at < 0 || at >= end) return -1
        at = endOfShortBytes(bytes, at)
        break
      case 6: // Decimal: digits, precision, scale
        at = endOfShortBytes(bytes, at)
        if (at < 0 || end - at < 4) return -1
        at = endOfInt(bytes, at)
        if (at < 0) return -1
        at = endOfInt(bytes, at)
        break
      case 8: // Float: double, precision, scale
        at = endOfInt(bytes, at + 8)
        if (at < 0) return -1
        at = endOfInt(bytes, at)
        break
      case 10: {
        // Timestamp: two numbers
        const last = at + 15
        for (let numbers = 0; numbers < 2; at++) {
          if (at === last) return -1
          if ((bytes[at] as number) < 0x80) numbers++
        }
        break
      }
      case 12: // DateTime: seven times null or a number
        for (let part = 0; part < 7; part++) {
          const branch = bytes[at++] as number
          if (branch === 2) {
            at = endOfInt(bytes, at)
            if (at < 0) return -1
          } else if (branch !== 0) {
            return -1
          }
        }
        break
      case 24: // EmptyObject: NULL or NONE
        if ((bytes[at++] as number) & 0xfd) return -1
        break
      default:
        return -1
    }
    if (at < 0) return -1
  }
  return at <= end ? at : -1
}

/** The position after a text or bytes whose length has one byte. @returns -1 if the length has more */
function endOfShortBytes(bytes: Buffer, at: number): number {
  const byte = bytes[at] as number
  return (byte & 0x81) === 0 ? at + 1 + (byte >>> 1) : -1
}
