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

const at = (index: number): number => tables[index] as number

const noWords = new Int32Array(0)
/** Of a block of 1 KB. */
const halfWords = 128

/**
 * Of each byte of a checksum, in the four places, what is left of it after half a block of zeros. Made for the first block: most runs
 * read none.
 */
let movedTables = noWords

const moved = (index: number): number => movedTables[index] as number

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
  if (count >= 2 * halfWords && movedTables === noWords) movedTables = makeMovedTables()
  let index = 0
  for (; index + 2 * halfWords <= count; index += 2 * halfWords) crc = pairStep(crc, words, index)
  crc = wordSteps(crc, words, index)
  position += count * 4

  while (position < end) crc = step(crc, bytes[position++])
  return ~crc >>> 0
}

function step(crc: number, byte: number | undefined): number {
  return (crc >>> 8) ^ at((crc ^ (byte as number)) & 0xff)
}

/** Takes the words from `index` on, which must be an even number of them. */
function wordSteps(before: number, words: Int32Array, index: number): number {
  let crc = before
  for (let next = index; next < words.length; next += 2) {
    crc = twoWords(crc ^ (words[next] as number), words[next + 1] as number)
  }
  return crc
}

/**
 * Takes two halves of a block in turn. Each step of a half needs the result of the step before, so that a processor can work on
 * both at the same time. The second half begins from zero, and the first one is then moved over its length.
 */
function pairStep(crc: number, words: Int32Array, index: number): number {
  let first = crc
  let second = 0
  for (let at = index; at < index + halfWords; at += 2) {
    first = twoWords(first ^ (words[at] as number), words[at + 1] as number)
    const other = at + halfWords
    second = twoWords(second ^ (words[other] as number), words[other + 1] as number)
  }
  return overHalf(first) ^ second
}

function twoWords(low: number, high: number): number {
  return (
    at(1792 + (low & 0xff)) ^
    at(1536 + ((low >>> 8) & 0xff)) ^
    at(1280 + ((low >>> 16) & 0xff)) ^
    at(1024 + (low >>> 24)) ^
    at(768 + (high & 0xff)) ^
    at(512 + ((high >>> 8) & 0xff)) ^
    at(256 + ((high >>> 16) & 0xff)) ^
    at(high >>> 24)
  )
}

/** The checksum after as many zeros as half a block has. */
function overHalf(crc: number): number {
  return (
    moved(crc & 0xff) ^
    moved(256 + ((crc >>> 8) & 0xff)) ^
    moved(512 + ((crc >>> 16) & 0xff)) ^
    moved(768 + (crc >>> 24))
  )
}

function makeMovedTables(): Int32Array<ArrayBuffer> {
  const made = new Int32Array(4 * 256)
  const zeros = new Int32Array(halfWords)
  for (let bit = 0; bit < 32; bit++)
    made[(bit >>> 3) * 256 + (1 << (bit & 7))] = wordSteps(1 << bit, zeros, 0)
  for (let place = 0; place < made.length; place += 256) {
    for (let byte = 1; byte < 256; byte++) {
      const rest = byte & (byte - 1)
      if (rest !== 0)
        made[place + byte] = (made[place + rest] as number) ^ (made[place + byte - rest] as number)
    }
  }
  return made
}
