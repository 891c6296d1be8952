import { columnType, importsOf, property, quote } from './column-types.ts'
import type { Kind, SampledColumn, TableSample } from './sample.ts'

/** The texts of a new handler file and of its test. */
export interface NewTable {
  readonly handler: string
  readonly test: string
}

/**
 * Writes a handler that compiles and a test that passes. The columns of the primary key are declared, the others are comments.
 * @param handler the path of the handler's file from the test's
 */
export function newTable(sample: TableSample, handler: string): NewTable {
  return { handler: handlerText(sample), test: testText(sample, handler) }
}

function handlerText(sample: TableSample): string {
  const { table, columns, keys, changes } = sample
  const types = columns.map((column) => columnType(column, sample))
  const isKey = ({ name }: SampledColumn) => keys.includes(name)
  const imported = importsOf(types.filter((_, at) => isKey(columns[at] as SampledColumn)))
  const more = importsOf(types).filter((type) => !imported.includes(type))
  const lines = columns.map((column, at) => columnLine(column, types[at] ?? '', isKey(column)))
  return `import { ${[...imported, 'defineTable'].sort().join(', ')} } from 'dts-functions'
import * as z from 'zod'

export const handler = defineTable({
  table: ${quote(table)},
  // The columns as ${changes.length} changes of the stream show them. Only declared columns are decoded: declare those that you need.
${more.length === 0 ? '' : `  // Import ${more.join(', ')} from 'dts-functions' for them.\n`}  row: z.object({
${lines.join('\n')}
  }),

  async onChange(change) {
    switch (change.operation) {
      case 'INSERT':
      case 'INIT':
        // change.after is the new row.
        break
      case 'UPDATE':
        // change.before and change.after are the row before and after; change.changed('column') compares them.
        break
      case 'DELETE':
        // change.before is the row that was deleted.
        break
    }
  },
})
`
}

function columnLine(column: SampledColumn, type: string, isKey: boolean): string {
  const notes = [isKey ? 'primary key' : '', column.kinds.size === 0 ? 'only NULL was seen' : '']
  const note = notes.filter((text) => text !== '').join(', ')
  return `    ${isKey ? '' : '// '}${property(column.name)}: ${type},${note === '' ? '' : ` // ${note}`}`
}

function testText({ table, columns, keys }: TableSample, handler: string): string {
  const row = columns
    .filter((column) => keys.includes(column.name))
    .map((column) => `${property(column.name)}: ${exampleOf(column)}`)
  return `import assert from 'node:assert/strict'
import { test } from 'node:test'
import { changesOf, deliver } from 'dts-functions/testing'
import { handler } from ${quote(handler)}

const changes = changesOf(handler, { keys: [${keys.map(quote).join(', ')}] })
const row = ${row.length === 0 ? '{}' : `{ ${row.join(', ')} }`}

test(${quote(`handles a new, a changed and a deleted row of ${table}`)}, async () => {
  const delivered = [changes.insert(row), changes.update(row, row), changes.delete(row)]
  assert.deepEqual(await deliver(handler, delivered), { handled: 3, filtered: 0, error: null })
})
`
}

const examples: Readonly<Record<Kind, string>> = {
  number: '1',
  bigint: '1n',
  string: "'1'",
  boolean: 'true',
  Buffer: "Buffer.from('1')",
}

function exampleOf({ kinds }: SampledColumn): string {
  const [kind = 'string'] = kinds
  return examples[kind]
}
