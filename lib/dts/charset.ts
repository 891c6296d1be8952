import iconv from 'iconv-lite'

/** Turns the bytes of a Character value into text by one character set; `binary` keeps them as they are. */
export type ReadText = (bytes: Buffer, start: number, end: number) => string | Buffer

/**
 * MySQL's character sets, by the name that iconv-lite gives the same mapping. Those that it lacks, or maps
 * otherwise than MySQL, have a reader of their own below.
 */
const iconvNames: Readonly<Record<string, string>> = {
  armscii8: 'armscii8',
  big5: 'big5',
  cp1250: 'cp1250',
  cp1251: 'cp1251',
  cp1256: 'cp1256',
  cp1257: 'cp1257',
  cp850: 'cp850',
  cp852: 'cp852',
  cp866: 'cp866',
  cp932: 'cp932',
  eucjpms: 'eucjp',
  euckr: 'euckr',
  gb18030: 'gb18030',
  gb2312: 'gb2312',
  gbk: 'gbk',
  geostd8: 'georgianacademy',
  greek: 'iso88597',
  hebrew: 'iso88598',
  hp8: 'hproman8',
  koi8r: 'koi8r',
  koi8u: 'koi8u',
  latin2: 'iso88592',
  latin5: 'iso88599',
  latin7: 'iso885913',
  macce: 'maccenteuro',
  macroman: 'macroman',
  sjis: 'shiftjis',
  tis620: 'tis620',
  ujis: 'eucjp',
}

/** Where the first 128 codes are not ASCII, so that the quick way for ASCII text is closed. */
const wideNames: Readonly<Record<string, string>> = {
  ucs2: 'utf16be',
  utf16: 'utf16be',
  utf16le: 'utf16le',
  utf32: 'utf32be',
}

const readUtf8: ReadText = (bytes, start, end) => bytes.toString('utf8', start, end)
const readBytes: ReadText = (bytes, start, end) => Buffer.from(bytes.subarray(start, end))

const readers = new Map<string, ReadText>([
  ['utf8', readUtf8],
  ['utf8mb3', readUtf8],
  ['utf8mb4', readUtf8],
  ['ascii', quickAscii((bytes, start, end) => bytes.toString('utf8', start, end))],
  ['latin1', quickAscii(readCp1252)],
  ['binary', readBytes],
])

/** @returns how to read text of this character set (MySQL's names, in any case), null when it is not known */
export function textReader(charset: string): ReadText | null {
  const known = readers.get(charset)
  if (known !== undefined) return known
  const name = charset.toLowerCase()
  const reader = readers.get(name) ?? iconvReader(name)
  return reader
}

function iconvReader(name: string): ReadText | null {
  const wide = wideNames[name]
  if (wide !== undefined) return through(wide)
  const narrow = iconvNames[name]
  return narrow === undefined ? null : quickAscii(through(narrow))
}

function through(encoding: string): ReadText {
  return (bytes, start, end) => iconv.decode(bytes.subarray(start, end), encoding, { stripBOM: false })
}

/** Most text is ASCII in fact, whatever its character set says; only what is not takes the way through a table. */
function quickAscii(other: ReadText): ReadText {
  return (bytes, start, end) => {
    for (let at = start; at < end; at++) {
      if ((bytes[at] as number) >= 0x80) return other(bytes, start, end)
    }
    return bytes.toString('latin1', start, end)
  }
}

/** MySQL's latin1: Windows code page 1252, with the five codes that it leaves open kept as control characters. */
const cp1252Upper = '€\x81‚ƒ„…†‡ˆ‰Š‹Œ\x8dŽ\x8f\x90‘’“”•–—˜™š›œ\x9džŸ'

function readCp1252(bytes: Buffer, start: number, end: number): string {
  return bytes
    .toString('latin1', start, end)
    .replace(/[\x80-\x9f]/g, (char) => cp1252Upper[char.charCodeAt(0) - 0x80] ?? char)
}
