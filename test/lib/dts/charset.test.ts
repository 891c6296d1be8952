import assert from 'node:assert/strict'
import { test } from 'node:test'
import { charsetOf } from '../../../lib/dts/charset.ts'

function read(charset: string, hex: string): string | Buffer {
  const bytes = Buffer.from(`ff${hex}ff`, 'hex')
  const known = charsetOf(charset)
  assert.ok(known, `${charset} is known`)
  return known.read(bytes, 1, bytes.length - 1)
}

/** One row per character set of MySQL 8, with bytes that tell it from its neighbours. */
const mysql: [charset: string, hex: string, expected: string][] = [
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

test('every character set of MySQL reads as MySQL itself reads it', () => {
  for (const [charset, hex, expected] of mysql) assert.equal(read(charset, hex), expected, charset)
  assert.deepEqual(read('binary', '0080'), Buffer.from([0, 0x80]))
  assert.equal(mysql.length + 1, 42, 'the 41 sets of MySQL 8, and utf8 as the older name of utf8mb3')
})

test('ASCII text is itself in every set that keeps ASCII', () => {
  const shifted = new Set(['ucs2', 'utf16', 'utf16le', 'utf32', 'swe7'])
  for (const [charset] of mysql) {
    if (shifted.has(charset)) {
      assert.equal(charsetOf(charset)?.keepsAscii, false, charset)
      continue
    }
    assert.equal(charsetOf(charset)?.keepsAscii, true, charset)
    assert.equal(read(charset, Buffer.from('A\\z~ 0').toString('hex')), 'A\\z~ 0', charset)
    assert.equal(read(charset, ''), '', charset)
  }
})

test('names that other sources use are known in any case', () => {
  for (const [charset, hex, expected] of [
    ['UTF-8', 'c3a4', 'ä'],
    ['UTF8', 'c3a4', 'ä'],
    ['GBK', 'd6d0', '中'],
    ['ISO-8859-1', 'e480', 'ä\x80'],
    ['windows-1252', '80', '€'],
    ['WIN1251', 'cf', 'П'],
    ['EUC_JP', 'c6fc', '日'],
    ['AL32UTF8', 'c3a4', 'ä'],
    ['US-ASCII', '41', 'A'],
  ] as const) {
    assert.equal(read(charset, hex), expected, charset)
  }
})

test('a name that is no character set is not known', () => {
  for (const name of [
    'klingon',
    'base64',
    'hex',
    'utf7',
    'constructor',
    '__proto__',
    'utf8mb5',
    'internal',
  ]) {
    assert.equal(charsetOf(name), null, name)
  }
})
