import iconv from 'iconv-lite'

/** One character set. */
export interface Charset {
  /**
   * True when bytes below 0x80 are ASCII: most text is ASCII in fact, whatever its character set says, and a caller
   * that finds it so need not call `read`.
   */
  readonly keepsAscii: boolean
  /** The text between two positions; for `binary`, which is no text, a copy of the bytes. */
  readonly read: (bytes: Buffer, start: number, end: number) => string | Buffer
}

/** Characters by the byte at which a run of them starts, where MySQL's map is not that of iconv-lite. */
type Runs = { readonly [firstByte: number]: string }

/** MySQL's character sets of one byte a character: iconv-lite's name for the map, and where MySQL differs. */
const singleByte = new Map<string, readonly [base: string, runs: Runs]>([
  ['armscii8', ['armscii8', { 161: '❁§', 173: '՟', 254: '’\u0027' }]],
  ['ascii', ['ascii', {}]],
  ['cp1250', ['cp1250', {}]],
  ['cp1251', ['cp1251', {}]],
  ['cp1256', ['cp1256', {}]],
  ['cp1257', ['cp1257', {}]],
  ['cp850', ['cp850', {}]],
  ['cp852', ['cp852', {}]],
  ['cp866', ['cp866', {}]],
  ['dec8', ['iso88591', { 168: '¤', 215: 'Œ', 221: 'Ÿ', 247: 'œ', 253: 'ÿ' }]],
  ['geostd8', ['georgianps', { 253: '№' }]],
  ['greek', ['iso88597', { 161: 'ʽʼ' }]],
  ['hebrew', ['iso88598', { 175: '‾' }]],
  ['hp8', ['hproman8', {}]],
  ['keybcs2', ['cp437', { 128: 'ČüéďäĎŤčěĚĹÍľĺÄÁÉžŽôöÓůÚýÖÜŠĽÝŘťáíóúňŇŮÔšřŕŔ' }]],
  ['koi8r', ['koi8r', {}]],
  ['koi8u', ['koi8u', { 149: '•' }]],
  // What everybody calls latin1 is Windows code page 1252; the five codes that it leaves open stay what they are.
  ['latin1', ['cp1252', { 129: '\x81', 141: '\x8d', 143: '\x8f\x90', 157: '\x9d' }]],
  ['latin2', ['iso88592', {}]],
  ['latin5', ['iso88599', {}]],
  ['latin7', ['iso885913', {}]],
  ['macce', ['maccenteuro', {}]],
  ['macroman', ['macroman', { 189: '\u03a9', 219: '€', 240: '\uf8ff' }]],
  ['swe7', ['ascii', { 64: 'É', 91: 'ÄÖÅÜ', 96: 'é', 123: 'äöåü' }]],
  ['tis620', ['tis620', {}]],
])

/** MySQL's character sets of several bytes a character in which ASCII text is itself. */
const multiByte = new Map([
  ['big5', 'big5'],
  ['cp932', 'cp932'],
  ['eucjpms', 'eucjp'],
  ['euckr', 'euckr'],
  ['gb18030', 'gb18030'],
  ['gb2312', 'gb2312'],
  ['gbk', 'gbk'],
])

/** And those in which every character takes at least two bytes, the higher one first unless the name says so. */
const wide = new Map([
  ['ucs2', 'utf16be'],
  ['utf16', 'utf16be'],
  ['utf16le', 'utf16le'],
  ['utf32', 'utf32be'],
])

/** The Japanese sets of the standard, for which iconv-lite has only Microsoft's variant of a few symbols. */
const japanese = new Map([
  ['sjis', 'shiftjis'],
  ['ujis', 'eucjp'],
])
const standardSymbols = new Map(
  Object.entries({ '＼': '\\', '～': '〜', '∥': '‖', '－': '−', '￠': '¢', '￡': '£', '￢': '¬' }),
)

/** Names by which sources other than MySQL call a set of iconv-lite's, once `-` and `_` are taken out. */
const otherNames =
  /^(iso8859\d{1,2}|windows\d{3,4}|win\d{3,4}|cp\d{3,4}|ibm\d{3,4}|koi8[rtu]|gb\w+|big5\w*|euc\w\w|shiftjis|utf(16|32)[bl]e)$/
const aliases = new Map([
  ['usascii', 'ascii'],
  ['al32utf8', 'utf8'],
  ['zhs16gbk', 'gbk'],
])

const utf8: Charset = { keepsAscii: true, read: (bytes, start, end) => bytes.toString('utf8', start, end) }
const binary: Charset = {
  keepsAscii: false,
  read: (bytes, start, end) => Buffer.from(bytes.subarray(start, end)),
}

const charsets = new Map<string, Charset>([
  ['utf8', utf8],
  ['utf8mb3', utf8],
  ['utf8mb4', utf8],
  ['binary', binary],
  // A source that names no character set sends bytes.
  ['', binary],
])
/** More spellings than this of the names above are nobody's data; they are worked out each time. */
const maxCharsets = 256

/**
 * @param name MySQL's name of a character set, or a common one, in any case
 * @returns null when it is not known
 */
export function charsetOf(name: string): Charset | null {
  const known = charsets.get(name)
  if (known !== undefined) return known
  const charset = makeCharset(name.toLowerCase().replace(/[-_]/g, ''))
  if (charset !== null && charsets.size < maxCharsets) charsets.set(name, charset)
  return charset
}

function makeCharset(written: string): Charset | null {
  const name = aliases.get(written) ?? written
  const known = charsets.get(name)
  if (known !== undefined) return known
  const single = singleByte.get(name)
  if (single !== undefined) return byTable(...single)
  const multi = multiByte.get(name)
  if (multi !== undefined) return { keepsAscii: true, read: byIconv(multi) }
  const wideName = wide.get(name)
  if (wideName !== undefined) return { keepsAscii: false, read: byIconv(wideName) }
  const standard = japanese.get(name)
  if (standard !== undefined) return { keepsAscii: true, read: withStandardSymbols(byIconv(standard)) }
  if (!otherNames.test(name) || !iconv.encodingExists(name)) return null
  return { keepsAscii: false, read: byIconv(name) }
}

type ReadString = (bytes: Buffer, start: number, end: number) => string

function byIconv(encoding: string): ReadString {
  // A byte order mark inside a column is a character of its text.
  return (bytes, start, end) => iconv.decode(bytes.subarray(start, end), encoding, { stripBOM: false })
}

function byTable(base: string, runs: Runs): Charset {
  const table = Array.from({ length: 256 }, (_, byte) =>
    iconv.decode(Buffer.from([byte]), base, { stripBOM: false }),
  )
  for (const [first, run] of Object.entries(runs)) {
    let byte = Number(first)
    for (const char of run) table[byte++] = char
  }
  return {
    keepsAscii: table.slice(0, 128).every((char, byte) => char.charCodeAt(0) === byte),
    read(bytes, start, end) {
      let text = ''
      for (let at = start; at < end; at++) text += table[bytes[at] as number]
      return text
    },
  }
}

function withStandardSymbols(read: ReadString): ReadString {
  return (bytes, start, end) =>
    read(bytes, start, end).replace(/[＼～∥－￠￡￢]/g, (char) => standardSymbols.get(char) ?? char)
}
