import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { MariaDb } from './mariadb.ts'
import { findCommand } from './tools.ts'

const run = promisify(execFile)

/** A character set: its characters (code points) by their codes; codes without a character are absent. */
export type CodeTable = ReadonlyMap<number, number>

/** MySQL's single-byte sets. MariaDB has them too. */
export const mysqlSingle: readonly string[] = [
  ...[
    'armscii8',
    'ascii',
    'cp1250',
    'cp1251',
    'cp1256',
    'cp1257',
    'cp850',
    'cp852',
    'cp866',
    'dec8',
    'geostd8',
  ],
  ...['greek', 'hebrew', 'hp8', 'keybcs2', 'koi8r', 'koi8u', 'latin1', 'latin2', 'latin5', 'latin7', 'macce'],
  ...['macroman', 'swe7', 'tis620'],
]

/** MySQL's multi-byte sets, except `gb18030`, which MariaDB lacks. */
export const mysqlMulti: readonly string[] = [
  'big5',
  'cp932',
  'sjis',
  'eucjpms',
  'ujis',
  'euckr',
  'gb2312',
  'gbk',
]

/** The sets with codes of three bytes, which begin with 8F. */
const threeBytes: ReadonlySet<string> = new Set(['eucjpms', 'ujis'])

/** The server's own character for each code of a character set. */
export async function mariadbTable(server: MariaDb, charset: string): Promise<CodeTable> {
  const table = new Map<number, number>()
  const ranges = [[1, 0x00, 0xff]]
  if (mysqlMulti.includes(charset)) ranges.push([2, 0x8000, 0xffff])
  if (threeBytes.has(charset)) ranges.push([3, 0x8f8000, 0x8fffff])
  for (const [size = 0, first, last] of ranges) {
    const bytes = `UNHEX(LPAD(HEX(seq), ${size * 2}, '0'))`
    const text = `CAST(${bytes} AS CHAR CHARACTER SET ${charset})`
    const rows = await server.query(
      `SELECT seq, HEX(CONVERT(${text} USING utf32)) FROM seq_${first}_to_${last} ORDER BY seq`,
    )
    if (rows.length !== (last ?? 0) - (first ?? 0) + 1) throw new Error(`${charset}: ${rows.length} rows`)
    for (const [code = '', hex = ''] of rows) {
      // The server writes a question mark for an unknown code, and U+FFFD for a code without a character.
      const character = hex.length === 8 ? Number.parseInt(hex, 16) : 0x3f
      const isKnown = character !== 0xfffd && (character !== 0x3f || Number(code) === 0x3f)
      if (isKnown) table.set(Number(code), character)
    }
  }
  return table
}

/** The sets of other sources, from Python. */
export async function pythonTables(): Promise<ReadonlyMap<string, CodeTable>> {
  const python = findCommand('python3')
  if (python === undefined)
    throw new Error('Python is not on this machine. On Debian: apt-get install -y python3')
  const script = fileURLToPath(new URL('./charsets.py', import.meta.url))
  const { stdout } = await run(python, [script], { maxBuffer: 64 << 20 })
  const tables: Record<string, Record<string, number>> = JSON.parse(stdout)
  return new Map(
    Object.entries(tables).map(([name, table]) => [
      name,
      new Map(Object.entries(table).map(([code, character]) => [Number(code), character])),
    ]),
  )
}
