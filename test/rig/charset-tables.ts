/**
 * Writes lib/dts/charset-tables.ts, the characters of all table-based character sets. MariaDB provides those of MySQL, and
 * Python the others. Run it with `npm run charsets`. The same sources give the same file.
 */
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { brotliCompressSync, constants } from 'node:zlib'
import { noCharacter, unpackUnits } from '../../lib/dts/charset-units.ts'
import { type CodeTable, mariadbTable, mysqlMulti, mysqlSingle, pythonTables } from './charset-source.ts'
import { type MariaDb, startMariaDb } from './mariadb.ts'

export const tablesFile = fileURLToPath(new URL('../../lib/dts/charset-tables.ts', import.meta.url))

interface Plane {
  readonly name: string
  readonly first: number
  readonly last: number
  readonly units: readonly number[]
}

/** The text of lib/dts/charset-tables.ts. */
export async function charsetTables(server: MariaDb): Promise<string> {
  const tables = new Map<string, CodeTable>()
  for (const name of [...mysqlSingle, ...mysqlMulti]) tables.set(name, await mariadbTable(server, name))
  for (const [name, table] of await pythonTables()) tables.set(name, table)
  const single: Plane[] = []
  const multi: Plane[] = []
  for (const [name, table] of tables) {
    single.push(planeOf(name, table, 0, 0xff))
    const codes = [...table.keys()].filter((code) => code > 0xff)
    const two = codes.filter((code) => code <= 0xffff)
    if (two.length > 0) multi.push(planeOf(name, table, Math.min(...two) & 0xff00, 0xfeff))
    const three = codes.filter((code) => code > 0xffff)
    if (three.length > 0) multi.push(planeOf(`${name} 8f`, table, Math.min(...three) & 0xffff00, 0x8ffeff))
  }
  return [
    '// Written by `npm run charsets` out of the tables of a MariaDB server and of Python; not to be edited.',
    "import type { PackedTables } from './charset-units.ts'",
    '',
    `export const singleByteTables: PackedTables = ${packed(single)}`,
    '',
    `export const multiByteTables: PackedTables = ${packed(multi)}`,
    '',
  ].join('\n')
}

/** @param first the first code of a row of 256 codes; `last` is the last code of a row */
function planeOf(name: string, table: CodeTable, first: number, last: number): Plane {
  const units: number[] = []
  for (let code = first; code <= last; code++) units.push(table.get(code) ?? noCharacter)
  if (units.some((unit) => unit > 0xffff)) throw new Error(`${name} has a character beyond U+FFFF`)
  return { name, first, last, units }
}

/**
 * Most characters follow the previous one, so differences compress well. The value 8000 means that the code has no
 * character.
 */
function packed(planes: readonly Plane[]): string {
  const units = planes.flatMap((plane) => plane.units)
  const differences = new Uint16Array(units.length)
  let before = 0
  for (const [index, unit] of units.entries()) {
    differences[index] = unit === noCharacter ? 0x8000 : unit - before - 1
    if (unit !== noCharacter) before = unit
  }
  const bytes = Buffer.from(differences.buffer)
  const compressed = brotliCompressSync(bytes, {
    params: {
      [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY,
      [constants.BROTLI_PARAM_LGWIN]: constants.BROTLI_MAX_WINDOW_BITS,
      [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
    },
  }).toString('base64')
  if (!unpackUnits(compressed).every((unit, index) => unit === units[index])) {
    throw new Error('the unpacked tables differ from the packed ones')
  }
  const list = planes.map(
    ({ name, first, last }) => `    ['${name}', 0x${first.toString(16)}, 0x${last.toString(16)}],`,
  )
  return `{\n  planes: [\n${list.join('\n')}\n  ],\n  data: '${compressed}',\n}`
}

if (import.meta.main) {
  await import('./install.ts')
  const server = await startMariaDb()
  try {
    writeFileSync(tablesFile, await charsetTables(server))
  } finally {
    await server.stop()
  }
  execFileSync('biome', ['check', '--write', tablesFile], { stdio: 'inherit' })
}
