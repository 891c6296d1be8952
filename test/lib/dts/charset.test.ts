import assert from 'node:assert/strict'
import { test } from 'node:test'
import { charsetOf } from '../../../lib/dts/charset.ts'
import { sourceTypes } from '../../../lib/dts/grammar.ts'
import type { SourceType } from '../../../lib/dts/types.ts'

function read(
  charset: string,
  hex: string,
  source: SourceType = 'MySQL',
  replace = false,
): string | Buffer | null {
  const bytes = Buffer.from(`ff${hex}ff`, 'hex')
  const known = charsetOf(charset, source)
  assert.ok(known, `${charset} of ${source} is known`)
  return known.read(bytes, 1, bytes.length - 1, replace)
}

type Sample = readonly [charset: string, hex: string, expected: string]

/** One row for each character set of MySQL 8, with bytes that distinguish it from similar sets. */
const mysql: readonly Sample[] = [
  ['armscii8', 'b2b3a2fe', 'Աա§’'],
  ['ascii', '417e', 'A~'],
  ['big5', 'a4a4a4e5', '中文'],
  ['cp1250', '8a9af8', 'Ššř'],
  ['cp1251', 'cff0e8b8', 'Приё'],
  ['cp1256', 'c8c7', 'با'],
  ['cp1257', 'e0eb', 'ąė'],
  ['cp850', '84e19c', 'äß£'],
  ['cp852', 'a5a3', 'ąú'],
  ['cp866', '8fe0a8', 'При'],
  ['cp932', '93fa967b8160', '日本～'],
  ['dec8', 'a8d7fd', '¤Œÿ'],
  ['eucjpms', 'c6fccbdca1c1', '日本～'],
  ['euckr', 'c7d1b1db', '한글'],
  ['gb18030', 'd6d0cec49439da33', '中文💩'],
  ['gb2312', 'd6d0cec4', '中文'],
  ['gbk', 'd6d0ce4c', '中蜭'],
  ['geostd8', 'c0c7c8fd', 'აჱთ№'],
  ['greek', 'c1e1a1', 'Ααʽ'],
  ['hebrew', 'e0faaf', 'את‾'],
  ['hp8', 'a1beb5', 'Àƒç'],
  ['keybcs2', '80879babe0', 'ČčŠŔα'],
  ['koi8r', 'f0d2c9', 'При'],
  ['koi8u', 'a4a695', 'єі•'],
  ['latin1', '80e4818d8f909d', '€ä\x81\x8d\x8f\x90\x9d'],
  ['latin2', 'b1bf', 'ąż'],
  ['latin5', 'f0fd', 'ğı'],
  ['latin7', 'e0ffb4', 'ą’“'],
  ['macce', '81fc', 'ĀŁ'],
  ['macroman', '80bddb', 'ÄΩ€'],
  ['sjis', '93fa967b8160817c', '日本〜−'],
  ['swe7', '405b5d7c41', 'ÉÄÅöA'],
  ['tis620', 'a1d2', 'กา'],
  ['ucs2', '00414e2d', 'A中'],
  ['ujis', 'c6fccbdca1c1a1dd', '日本〜−'],
  ['utf16', 'd83dde00feff', '😀\ufeff'],
  ['utf16le', '3dd800de', '😀'],
  ['utf32', '0001f60000000041', '😀A'],
  ['utf8', 'efbbbfc3a4', '\ufeffä'],
  ['utf8mb3', 'e4b8ad', '中'],
  ['utf8mb4', 'f09f9880', '😀'],
]

test('text in every character set of MySQL is read as MySQL reads it', () => {
  for (const [charset, hex, expected] of mysql) assert.equal(read(charset, hex), expected, charset)
  assert.deepEqual(read('binary', '0080'), Buffer.from([0, 0x80]))
  assert.equal(mysql.length + 1, 42, 'the 41 sets of MySQL 8, and utf8 as the older name of utf8mb3')
})

/** Codes that MySQL maps differently from browsers. test/real/charsets.test.ts compares every code with a server. */
const own: readonly Sample[] = [
  ['big5', 'c6a1c6e7c7f2c7fc', 'ヾゃ⑩⑽'],
  ['cp932', 'f941f9fcf040', '\ue69d\ue757\ue000'],
  ['eucjpms', 'f5a1fefe8ff5a1', '\ue000\ue3ab\ue3ac'],
  ['ujis', 'f5a1fefe', '\ue000\ue3ab'],
  ['cp866', 'fcfd', 'ⁿ²'],
  ['geostd8', '80', '€'],
  ['tis620', '809f', '\x80\x9f'],
  ['gb2312', 'a1a4a1aa', '・―'],
]

test('codes that browsers map differently, or not at all, are read as MySQL reads them', () => {
  for (const [charset, hex, expected] of own) {
    const text = read(charset, hex)
    assert.equal(text, expected, charset)
  }
})

test('ASCII text stays the same in every character set that contains ASCII', () => {
  const shifted = new Set(['ucs2', 'utf16', 'utf16le', 'utf32', 'swe7'])
  for (const [charset] of mysql) {
    if (shifted.has(charset)) {
      assert.equal(charsetOf(charset, 'MySQL')?.keepsAscii, false, charset)
      continue
    }
    assert.equal(charsetOf(charset, 'MySQL')?.keepsAscii, true, charset)
    assert.equal(read(charset, Buffer.from('A\\z~ 0').toString('hex')), 'A\\z~ 0', charset)
    assert.equal(read(charset, ''), '', charset)
  }
})

/** One name can mean different sets on different sources. */
const others: readonly (readonly [source: SourceType, ...Sample])[] = [
  ['MySQL', 'latin1', '80', '€'],
  ['DRDS', 'latin1', '80', '€'],
  ['OTHER', 'latin1', '80', '€'],
  ['PostgreSQL', 'LATIN1', '80e4', '\x80ä'],
  ['PPAS', 'LATIN1', '80', '\x80'],
  ['PostgreSQL', 'LATIN2', 'b1', 'ą'],
  ['PostgreSQL', 'LATIN3', 'a1', 'Ħ'],
  ['PostgreSQL', 'LATIN4', 'a2', 'ĸ'],
  ['PostgreSQL', 'LATIN5', 'f0', 'ğ'],
  ['PostgreSQL', 'LATIN6', 'bd', '―'],
  ['PostgreSQL', 'LATIN7', 'b4', '“'],
  ['PostgreSQL', 'LATIN8', 'a1', 'Ḃ'],
  ['PostgreSQL', 'LATIN9', 'a4', '€'],
  ['PostgreSQL', 'LATIN10', 'aa', 'Ș'],
  ['PostgreSQL', 'ISO_8859_5', 'b0', 'А'],
  ['PostgreSQL', 'ISO_8859_8', 'e0', 'א'],
  ['PostgreSQL', 'SQL_ASCII', '4142', 'AB'],
  ['PostgreSQL', 'UNICODE', 'c3a4', 'ä'],
  ['PostgreSQL', 'UHC', 'b0a1c9a1a2e8', '가\ue000㉾'],
  ['PostgreSQL', 'EUC_JP', 'c6fca1c1ada1', '日～①'],
  ['PostgreSQL', 'EUC_KR', 'b0a1a2e8', '가㉾'],
  ['PostgreSQL', 'EUC_CN', 'd6d0', '中'],
  ['PostgreSQL', 'SJIS', '8160', '～'],
  ['PostgreSQL', 'WIN1251', 'cf', 'П'],
  ['PostgreSQL', 'WIN1258', 'd2', '\u0309'],
  ['PostgreSQL', 'WIN866', '8f', 'П'],
  ['PostgreSQL', 'WIN874', 'a1', 'ก'],
  ['PostgreSQL', 'KOI8R', 'f0', 'П'],
  ['PostgreSQL', 'GBK', 'd6d0', '中'],
  ['PostgreSQL', 'BIG5', 'a4a4', '中'],
  ['PostgreSQL', 'JOHAB', '8861d9e8', '가㉾'],
  ['PostgreSQL', 'GB18030', 'a8bc8135f437', '\ue7c7ḿ'],
  ['MySQL', 'gb18030', 'a8bc8135f437', 'ḿ\ue7c7'],
  ['MySQL', 'gb18030', '813081308431a439', '\x80\uffff'],
  ['Oracle', 'AL32UTF8', 'f09f9880', '😀'],
  ['Oracle', 'UTF8', 'eda0bdedb880c3a4', '😀ä'],
  ['Oracle', 'UTF8', 'f09f9880', '😀'],
  ['Oracle', 'AL16UTF16', '4e2dd83dde00', '中😀'],
  ['Oracle', 'US7ASCII', '41', 'A'],
  ['Oracle', 'WE8ISO8859P1', '80e4', '\x80ä'],
  ['Oracle', 'WE8ISO8859P15', 'a4', '€'],
  ['Oracle', 'WE8MSWIN1252', '80', '€'],
  ['Oracle', 'CL8MSWIN1251', 'cf', 'П'],
  ['Oracle', 'EE8ISO8859P2', 'b1', 'ą'],
  ['Oracle', 'WE8PC850', '84', 'ä'],
  ['Oracle', 'JA16SJIS', '8160817c', '〜−'],
  ['Oracle', 'JA16SJISTILDE', '8160', '～'],
  ['Oracle', 'JA16EUC', 'c6fca1c1a1dd', '日〜−'],
  ['Oracle', 'JA16EUCTILDE', 'a1c1', '～'],
  ['Oracle', 'KO16MSWIN949', '8141b0a1', '갂가'],
  ['Oracle', 'KO16KSC5601', 'b0a1', '가'],
  ['Oracle', 'KO16KSCCS', '8861', '가'],
  ['Oracle', 'ZHS16GBK', '80d6d0', '€中'],
  ['Oracle', 'ZHS32GB18030', 'd6d09439da33', '中💩'],
  ['Oracle', 'ZHT16BIG5', 'a4a4', '中'],
  ['Oracle', 'ZHT16MSWIN950', 'a4a4a145', '中‧'],
  ['SQLServer', 'CP1252', '8081', '€\x81'],
  ['SQLServer', '936', 'd6d0', '中'],
  ['SQLServer', 'UTF-16LE', '2d4e', '中'],
  ['DB2', '1208', 'e4b8ad', '中'],
  ['DB2', 'IBM-1386', 'd6d0', '中'],
  ['DB2', '819', '80', '\x80'],
]

test('the name of a character set means the set that its source means', () => {
  for (const [source, charset, hex, expected] of others) {
    assert.equal(read(charset, hex, source), expected, `${charset} of ${source}`)
  }
})

test('names of IANA and Java are known for every source, in upper and lower case', () => {
  for (const source of sourceTypes) {
    for (const [charset, hex, expected] of [
      ['UTF-8', 'c3a4', 'ä'],
      ['GBK', 'd6d0', '中'],
      ['ISO-8859-1', 'e480', 'ä\x80'],
      ['windows-1251', 'cf', 'П'],
      ['EUC-JP', 'c6fc', '日'],
      ['Shift_JIS', '93fa', '日'],
      ['UTF-16BE', '4e2d', '中'],
      ['US-ASCII', '41', 'A'],
      ['gb18030', 'd6d0', '中'],
    ] as const) {
      assert.equal(read(charset, hex, source), expected, `${charset} of ${source}`)
    }
    assert.deepEqual(read('', '80', source), Buffer.from([0x80]), 'no name is bytes')
  }
})

/** Bytes that are not text, and their text with replacement. */
const damaged: readonly (readonly [source: SourceType, ...Sample])[] = [
  ['MySQL', 'utf8mb4', '41ff42', 'A\ufffdB'],
  ['MySQL', 'utf8mb4', 'c3', '\ufffd'],
  ['MySQL', 'utf8mb4', 'eda0bd', '\ufffd\ufffd\ufffd'],
  ['MySQL', 'ascii', '4180', 'A\ufffd'],
  ['MySQL', 'cp1257', '41a142', 'A\ufffdB'],
  ['MySQL', 'gbk', '41d6', 'A\ufffd'],
  ['MySQL', 'gbk', 'ff41', '\ufffdA'],
  ['MySQL', 'gbk', 'd630', '\ufffd0'],
  ['MySQL', 'big5', 'f9fe41', '\ufffdA'],
  ['MySQL', 'ujis', '8fa1a141', '\ufffd\ufffdA'],
  ['MySQL', 'gb18030', '81308130fe39fe39', '\x80\ufffd9\ufffd9'],
  ['MySQL', 'ucs2', '004141', 'A\ufffd'],
  ['MySQL', 'utf16', 'd83d0041', '\ufffdA'],
  ['MySQL', 'utf16le', '00de4100', '\ufffdA'],
  ['MySQL', 'utf32', '0011000000000041', '\ufffdA'],
  ['MySQL', 'utf32', '0000d800', '\ufffd'],
  ['MySQL', 'utf32', '0000004100', 'A\ufffd'],
  ['Oracle', 'UTF8', '41eda0bd42', 'A\ufffdB'],
  ['Oracle', 'UTF8', 'c080', '\ufffd\ufffd'],
  ['Oracle', 'UTF8', 'e08080', '\ufffd\ufffd\ufffd'],
  ['Oracle', 'UTF8', 'eda0bdedb880f4908080', '😀\ufffd\ufffd\ufffd\ufffd'],
  ['Oracle', 'US7ASCII', '41d6d0', 'A\ufffd\ufffd'],
  ['Oracle', 'WE8MSWIN1252', '81', '\ufffd'],
  ['PostgreSQL', 'SQL_ASCII', 'c3a4', '\ufffd\ufffd'],
]

test('bytes that are not text in their set are refused, unless the caller asks for replacement', () => {
  for (const [source, charset, hex, replaced] of damaged) {
    assert.equal(read(charset, hex, source), null, `${charset} ${hex}`)
    assert.equal(read(charset, hex, source, true), replaced, `${charset} ${hex}`)
  }
})

test('U+FFFD that the source wrote is text', () => {
  assert.equal(read('utf8mb4', 'efbfbd'), '\ufffd')
  assert.equal(read('UTF8', 'efbfbd', 'Oracle'), '\ufffd')
  assert.equal(read('utf16', 'fffd'), '\ufffd')
  assert.equal(read('gb18030', '8431a437'), '\ufffd')
})

test('GB 18030 has one code for each character of Unicode, in both editions', () => {
  for (const [source, edition] of [
    ['MySQL', '2005'],
    ['PostgreSQL', '2000'],
  ] as const) {
    const seen = new Uint8Array(0x110000)
    const codes = [...fourBytes(0x8130, 0x8431), ...twoBytes()]
    for (const bytes of codes) {
      const text = charsetOf('gb18030', source)?.read(bytes, 0, bytes.length, false)
      if (typeof text !== 'string') continue
      const point = text.codePointAt(0) as number
      if (bytes.length === 2 && text.length === 2) continue
      assert.equal(seen[point], 0, `U+${point.toString(16)} twice in the edition of ${edition}`)
      seen[point] = 1
    }
    for (let point = 0x80; point < 0x10000; point++) {
      const isSurrogate = point >= 0xd800 && point <= 0xdfff
      assert.equal(seen[point] === 1, !isSurrogate, `U+${point.toString(16)} in the edition of ${edition}`)
    }
    for (const [hex, character] of [
      ['90308130', '\u{10000}'],
      ['e3329a35', '\u{10ffff}'],
    ] as const) {
      assert.equal(read('gb18030', hex, source), character)
    }
    assert.equal(read('gb18030', 'e3329a36', source), null, 'after the last character')
  }
})

function* fourBytes(first: number, last: number): Generator<Buffer> {
  for (let head = first; head <= last; head++) {
    if ((head & 0xff) < 0x30 || (head & 0xff) > 0x39) continue
    for (let third = 0x81; third <= 0xfe; third++) {
      for (let fourth = 0x30; fourth <= 0x39; fourth++)
        yield Buffer.from([head >> 8, head & 0xff, third, fourth])
    }
  }
}

function* twoBytes(): Generator<Buffer> {
  for (let code = 0x8140; code <= 0xfefe; code++) yield Buffer.from([code >> 8, code & 0xff])
}

test('text of any length is read completely, in every kind of set', () => {
  for (const length of [0, 1, 4095, 4096, 4097, 1_200_000]) {
    for (const [charset, hex, character] of [
      ['latin1', 'e4', 'ä'],
      ['gbk', 'd6d0', '中'],
      ['gb18030', '9439da33', '💩'],
      ['utf16', 'd83dde00', '😀'],
      ['utf32', '0001f600', '😀'],
      ['utf8mb4', 'c3a4', 'ä'],
    ] as const) {
      assert.ok(read(charset, hex.repeat(length)) === character.repeat(length), `${length} × ${charset}`)
    }
    assert.ok(
      read('UTF8', 'eda0bdedb880'.repeat(length), 'Oracle') === '😀'.repeat(length),
      `${length} × CESU-8`,
    )
  }
})

test('in an unknown character set, only ASCII is read', () => {
  for (const name of [
    'klingon',
    'base64',
    'constructor',
    '__proto__',
    'utf8mb5',
    'internal',
    'AR8NAFITHA711',
  ]) {
    for (const source of ['MySQL', 'Oracle', 'OTHER'] as const) {
      assert.equal(charsetOf(name, source)?.keepsAscii, true, name)
      assert.equal(read(name, '41427e'), 'AB~', name)
      assert.equal(read(name, '4180'), null, name)
      assert.equal(
        read(name, '4180', 'MySQL', true),
        null,
        `${name}: some bytes of a character could be ASCII`,
      )
    }
  }
})

test('an unknown character set is refused if its ASCII bytes may be other characters', () => {
  for (const name of [
    'WE8EBCDIC37',
    'UTFE',
    'YUG7ASCII',
    'JA16SJISYEN',
    'utf7',
    'UTF-7',
    'iso-2022-jp',
    'HZ',
    '37',
    'IBM-1047',
    'UTF-16BE-BOM',
  ]) {
    assert.equal(charsetOf(name, 'DB2'), null, name)
  }
})

test('a character is never read from bytes after its value', () => {
  for (const [source, charset, hex] of [
    ['MySQL', 'ujis', '8fa2af'],
    ['MySQL', 'gb18030', '81308130'],
    ['MySQL', 'gbk', 'd6d0'],
    ['MySQL', 'utf8mb4', 'c3a4'],
    ['MySQL', 'utf16', '4e2d'],
    ['MySQL', 'utf32', '00000041'],
    ['Oracle', 'UTF8', 'eda0bdedb880'],
  ] as const) {
    const bytes = Buffer.from(hex, 'hex')
    const known = charsetOf(charset, source)
    assert.equal(typeof known?.read(bytes, 0, bytes.length, false), 'string', charset)
    assert.equal(known?.read(bytes, 0, bytes.length - 1, false), null, charset)
  }
})
