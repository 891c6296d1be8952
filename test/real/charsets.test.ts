import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { charsetOf } from '../../lib/dts/charset.ts'
import { multiByteTables, singleByteTables } from '../../lib/dts/charset-tables.ts'
import { unpackTables } from '../../lib/dts/charset-units.ts'
import { type CodeTable, mariadbTable, mysqlMulti, mysqlSingle, pythonTables } from '../rig/charset-source.ts'
import { type MariaDb, startMariaDb } from '../rig/mariadb.ts'

let server: MariaDb

before(async () => {
  server = await startMariaDb()
})

after(() => server.stop())

function read(charset: string, bytes: Buffer): string | null {
  const text = charsetOf(charset, 'MySQL')?.read(bytes, 0, bytes.length, false)
  assert.ok(typeof text === 'string' || text === null, `${charset} decodes to text`)
  return text
}

function bytesOf(code: number, size: number): Buffer {
  const bytes = Buffer.alloc(size)
  bytes.writeUIntBE(code, 0, size)
  return bytes
}

/** The server's text for a code: one character, the characters of its single bytes, or null for no text. */
function expectedText(table: CodeTable, bytes: Buffer): string | null {
  const code = bytes.readUIntBE(0, bytes.length)
  const whole = table.get(code)
  if (whole !== undefined) return String.fromCodePoint(whole)
  for (let head = 1; head < bytes.length; head++) {
    const first = table.get(bytes.readUIntBE(0, head))
    const rest = first === undefined ? null : expectedText(table, bytes.subarray(head))
    if (first !== undefined && rest !== null) return String.fromCodePoint(first) + rest
  }
  return null
}

/** The codes to compare, by their size in bytes. */
const ranges: readonly (readonly [size: number, first: number, last: number])[] = [
  [1, 0, 0xff],
  [2, 0x8000, 0xffff],
  [3, 0x8f8000, 0x8fffff],
]

describe('character sets, compared with a MariaDB server', () => {
  for (const charset of [...mysqlSingle, ...mysqlMulti]) {
    test(`every code of ${charset} is the server’s character, and codes unknown to the server are no text`, async () => {
      const table = await mariadbTable(server, charset)
      const wrong: string[] = []
      for (const [size, first, last] of ranges) {
        for (let code = first; code <= last; code++) {
          const bytes = bytesOf(code, size)
          const expected = expectedText(table, bytes)
          const ours = read(charset, bytes)
          if (ours !== expected) wrong.push(`${code.toString(16)}: ours ${ours}, the server ${expected}`)
        }
      }
      assert.deepEqual(wrong.slice(0, 20), [], `${wrong.length} codes`)
      assert.ok(table.size >= 127, `${table.size} characters`)
    })
  }

  test('the Unicode sets agree on every character up to U+FFFF and on many above', async () => {
    const points = ['seq_1_to_65535', 'seq_65536_to_1114111_step_251']
    for (const [charset, sequence] of ['utf8mb4', 'utf8mb3', 'ucs2', 'utf16', 'utf16le', 'utf32'].flatMap(
      (name) => points.map((seq) => [name, seq] as const),
    )) {
      if (sequence === points[1] && (charset === 'utf8mb3' || charset === 'ucs2')) continue
      const character = "CAST(UNHEX(LPAD(HEX(seq), 8, '0')) AS CHAR CHARACTER SET utf32)"
      const rows = await server.query(
        `SELECT seq, HEX(CONVERT(${character} USING ${charset})) FROM ${sequence} WHERE seq NOT BETWEEN 55296 AND 57343`,
      )
      assert.ok(rows.length > 4000)
      for (const [point = '', hex = ''] of rows) {
        assert.equal(read(charset, Buffer.from(hex, 'hex')), String.fromCodePoint(Number(point)), charset)
      }
    }
  })

  test('lib/dts/charset-tables.ts is what `npm run charsets` writes', async () => {
    const tables = new Map([...unpackTables(singleByteTables)].map(([name, plane]) => [name, [plane]]))
    for (const [name, plane] of unpackTables(multiByteTables)) {
      const [base = ''] = name.split(' ')
      tables.get(base)?.push(plane)
    }
    const sources = new Map(await pythonTables())
    for (const name of [...mysqlSingle, ...mysqlMulti]) sources.set(name, await mariadbTable(server, name))
    assert.deepEqual([...tables.keys()].sort(), [...sources.keys()].sort())
    for (const [name, table] of sources) {
      const kept = new Map<number, number>()
      for (const { first, units } of tables.get(name) ?? []) {
        for (const [index, unit] of units.entries()) if (unit !== 0xfffd) kept.set(first + index, unit)
      }
      assert.deepEqual([...kept].sort(byCode), [...table].sort(byCode), name)
    }
  })
})

function byCode([one]: readonly [number, number], [other]: readonly [number, number]): number {
  return one - other
}
