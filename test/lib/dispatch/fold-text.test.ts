import assert from 'node:assert/strict'
import { test } from 'node:test'
import { foldText } from '../../../lib/dispatch/fold-text.ts'
import { foldedTexts, splitBy } from '../../support/fold.ts'

const equal: readonly (readonly [reason: string, ...texts: string[]])[] = [
  ['MySQL compares without regard to case by default', 'abc', 'ABC', 'aBc'],
  ['trailing blanks of a CHAR do not count', 'b', 'b  ', 'b\u3000'],
  ['marks do not count, composed or not', 'cafe', 'café', 'cafe\u0301', 'CAFÉ'],
  ['some collations ignore punctuation', 'co-op', 'coop', 'co\u2010op', 'co\u200bop'],
  ['some collations compare the numbers', 'A-007', 'a7', 'Ａ７', 'a٧'],
  ['German has ä for ae, and Swedish has æ for ä', 'bär', 'baer', 'bær'],
  ['Danish has å for aa', 'gård', 'gaard'],
  ['Lithuanian has y for i, and ch for c', 'vilnyc', 'vilnich'],
  ['Latin has two letters for four', 'ivlivs', 'JULIUS'],
  ['Swedish has w for v', 'vera', 'wera'],
  ['Hungarian doubles letters by their first half', 'accsb', 'acscsb'],
  ['Icelandic letters', 'þorð', 'thord'],
  ['German sharp s', 'Straße', 'STRASSE', 'strase', 'STRAẞE'],
  ['Vietnamese and Croatian letters', 'đường', 'ĐƯỜNG', 'duong'],
  ['Kana of every kind, size and width', 'カード', 'かーど', 'ｶｰﾄﾞ', 'かあど'],
  ['Greek sigmas and accents', 'ΟΔΟΣ', 'οδός', 'οδοσ'],
  ['Cyrillic', 'ЁЛКА', 'елка', 'ёлка'],
  ['compatible ideographs', '\uf900', '\u8c48'],
]

for (const [reason, ...texts] of equal) {
  test(`${texts.join(' = ')}: ${reason}`, () => {
    const folds = texts.map(foldText)
    assert.notEqual(folds[0], null)
    assert.equal(new Set(folds).size, 1, folds.join(' / '))
  })
}

test('texts without a fold are those with characters that some collation compares in an irregular way', () => {
  for (const text of [
    'ć',
    'Łódź',
    '²',
    'ђ',
    'ґ',
    '๓',
    '\u{1F600}',
    '\u{20000}',
    '\ufffd',
    '\ue000',
    '\ud800',
  ])
    assert.equal(foldText(text), null, JSON.stringify(text))
})

test('different texts of many languages have different folds', () => {
  const texts = [
    'ORD-1',
    'ORD-2',
    'blue',
    'red',
    '订单',
    '客户',
    'かき',
    'さけ',
    'Москва',
    'Париж',
    'παρά',
    '서울',
    '부산',
  ]
  assert.equal(new Set(texts.map(foldText)).size, texts.length)
})

test('characters and pairs of letters that ICU’s root collation treats as equal have one fold', () => {
  assert.ok(foldedTexts().length > 40_000)
  assert.deepEqual(splitBy('und', foldedTexts()), [])
})
