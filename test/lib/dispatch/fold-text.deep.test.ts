import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fewTexts, foldedTexts, splitBy } from '../../support/fold.ts'

// All but Korean, which treats each ideograph as equal to the syllables of its reading.
const locales = (
  'af ar as az be bg bn bs ca ceb ckb cs cy da de de-AT-u-co-phonebk de-u-co-phonebk de-u-co-eor dsb ee el en eo es es-u-co-trad et ' +
  'fa fi fil fo fr fr-CA fy ga gl gu ha haw he hi hr hsb hu hy id ig is it ja ja-u-co-unihan ka kk kl km kn kok ku ky lb lkt ln lo lt ' +
  'lv mk ml mn mr ms mt my nb ne nl nn no om or pa pl ps pt ro ru sa se si sk sl smn so sq sr sv sv-u-co-trad sw ta te th tk to tr ug ' +
  'uk ur uz vi vo wae wo xh yi yo zh zh-u-co-stroke zh-u-co-zhuyin zu'
).split(' ')

test('characters and pairs of letters that a language of ICU treats as equal have one fold', () => {
  const few = fewTexts()
  assert.ok(few.length > 2_000)
  for (const locale of locales) assert.deepEqual(splitBy(locale, few), [], locale)
  for (const locale of ['ja', 'zh', 'zh-u-co-stroke'])
    assert.deepEqual(splitBy(locale, foldedTexts()), [], locale)
})
