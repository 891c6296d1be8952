/**
 * CRC-32C (Castagnoli), the checksum of Kafka's record batches, eight bytes per step ("slicing by 8").
 * Table k holds the checksum of a byte followed by k zero bytes.
 * node:zlib has only CRC-32, which is another polynomial.
 */
const tables = new Int32Array(8 * 256)

for (let byte = 0; byte < 256; byte++) {
  let crc = byte
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1
  tables[byte] = crc
}
for (let index = 256; index < tables.length; index++) {
  const previous = tables[index - 256] as number
  tables[index] = (previous >>> 8) ^ (tables[previous & 0xff] as number)
}

const noWords = new Int32Array(0)

const at = (index: number): number => tables[index] as number

/** The CRC-32C of `bytes` from `start` to `end`, exclusive, as an unsigned 32-bit number. */
export function crc32c(bytes: Uint8Array, start = 0, end = bytes.length): number {
  let crc = -1
  let position = start
  while (position < end && (bytes.byteOffset + position) % 4 !== 0) crc = step(crc, bytes[position++])

  // A view of 32-bit words saves four loads and shifts per word. It uses the machine's byte order. The tables expect
  // little-endian, which x64 and arm64 are.
  const count = ((end - position) >>> 3) * 2
  // Even an empty view must start at a multiple of four, and a short input may contain none.
  const words = count === 0 ? noWords : new Int32Array(bytes.buffer, bytes.byteOffset + position, count)
  for (let index = 0; index < words.length; index += 2) {
    const low = crc ^ (words[index] as number)
    const high = words[index + 1] as number
    crc =
      at(1792 + (low & 0xff)) ^
      at(1536 + ((low >>> 8) & 0xff)) ^
      at(1280 + ((low >>> 16) & 0xff)) ^
      at(1024 + (low >>> 24)) ^
      at(768 + (high & 0xff)) ^
      at(512 + ((high >>> 8) & 0xff)) ^
      at(256 + ((high >>> 16) & 0xff)) ^
      at(high >>> 24)
  }
  position += words.length * 4

  while (position < end) crc = step(crc, bytes[position++])
  return ~crc >>> 0
}

function step(crc: number, byte: number | undefined): number {
  return (crc >>> 8) ^ at((crc ^ (byte as number)) & 0xff)
}
