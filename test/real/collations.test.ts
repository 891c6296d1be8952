import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { foldText } from '../../lib/dispatch/fold-text.ts'
import { type MariaDb, startMariaDb } from '../rig/mariadb.ts'
import { foldedTexts } from '../support/fold.ts'

let server: MariaDb

/** One utf32 character of MariaDB is four bytes. */
function utf32Hex(text: string): string {
  return [...text].map((character) => (character.codePointAt(0) ?? 0).toString(16).padStart(8, '0')).join('')
}

before(async () => {
  server = await startMariaDb()
  await server.query('CREATE DATABASE folds')
  await server.query(
    'CREATE TABLE folds.texts (text VARCHAR(4) CHARACTER SET utf32 COLLATE utf32_bin, fold INT, common BOOL)',
  )
  const numbers = new Map<string, number>()
  const rows = foldedTexts().map(({ text, fold }) => {
    if (!numbers.has(fold)) numbers.set(fold, numbers.size)
    // Ideographs and syllables are so many that only the collations of their languages compare all of them.
    const isCommon = !/[\u3400-\u9fff\uac00-\ud7a3]/.test(text) || (text.codePointAt(0) ?? 0) % 29 === 0
    return `(_utf32 X'${utf32Hex(text)}',${numbers.get(fold)},${isCommon})`
  })
  assert.ok(rows.length > 40_000)
  for (let at = 0; at < rows.length; at += 3_000) {
    await server.query(`INSERT INTO folds.texts VALUES ${rows.slice(at, at + 3_000).join(',')}`)
  }
})

after(() => server.stop())

/** The groups of texts that the collation treats as equal and that have several folds, as hexadecimal utf32. */
async function split(charset: string, collation: string, all: boolean): Promise<string[][]> {
  const converted = `CONVERT(text USING ${charset})`
  return await server.query(
    `SELECT GROUP_CONCAT(HEX(text)) FROM folds.texts
      WHERE ${all ? '1' : 'common'} AND HEX(CONVERT(${converted} USING utf32)) = HEX(text)
      GROUP BY ${converted} COLLATE ${collation} HAVING MIN(fold) <> MAX(fold) LIMIT 20`,
  )
}

/** Their Unicode collations are the same as those of utf8mb4. */
const copies: ReadonlySet<string> = new Set(['ucs2', 'utf16', 'utf16le', 'utf32', 'utf8mb3'])

describe('texts that a collation treats as equal have one fold', () => {
  test('in every collation of a MariaDB server, for the characters of most languages', async () => {
    const collations = await server.query(
      `SELECT character_set_name, full_collation_name FROM information_schema.collation_character_set_applicability
        WHERE full_collation_name NOT LIKE '%nopad%' AND full_collation_name NOT LIKE '%\\_as\\_c_' AND character_set_name <> 'binary'`,
    )
    let compared = 0
    for (const [charset = '', collation = ''] of collations) {
      if (copies.has(charset) || collation.endsWith('_bin')) continue
      assert.deepEqual(await split(charset, collation, false), [], collation)
      compared += 1
    }
    assert.ok(compared > 100, `${compared} collations`)
  })

  test('in the collations of Chinese, Japanese and Korean sets and in those of all languages, for every character', async () => {
    for (const [charset, collation] of [
      ['big5', 'big5_chinese_ci'],
      ['gbk', 'gbk_chinese_ci'],
      ['gb2312', 'gb2312_chinese_ci'],
      ['euckr', 'euckr_korean_ci'],
      ['sjis', 'sjis_japanese_ci'],
      ['cp932', 'cp932_japanese_ci'],
      ['ujis', 'ujis_japanese_ci'],
      ['eucjpms', 'eucjpms_japanese_ci'],
      ['utf8mb4', 'utf8mb4_general_ci'],
      ['utf8mb3', 'utf8mb3_general_mysql500_ci'],
      ['utf8mb4', 'utf8mb4_unicode_ci'],
      ['utf8mb4', 'utf8mb4_unicode_520_ci'],
      ['utf8mb4', 'utf8mb4_uca1400_ai_ci'],
    ] as const) {
      assert.deepEqual(await split(charset, collation, true), [], collation)
    }
  })

  test('the comparison finds a fold that is too fine', async () => {
    assert.notEqual(foldText('b'), foldText('c'))
    await server.query("UPDATE folds.texts SET fold = -1 WHERE text = 'B'")
    const [[group = ''] = []] = await split('latin1', 'latin1_swedish_ci', false)
    assert.deepEqual(group.split(',').sort(), ['00000042', '00000062'])
  })
})
