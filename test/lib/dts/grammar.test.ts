import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import avro from 'avsc'
import { recordType } from '../../../infra/local/encode.ts'
import { valueBranches } from '../../../lib/dts/grammar.ts'

// The golden records, which Alibaba's classes wrote, prove that this schema is the right one.
const schema = recordType
assert.ok(schema instanceof avro.types.RecordType)
const text = readFileSync(new URL('../../../lib/dts/grammar.ts', import.meta.url), 'utf8')

/** The union that the items of an image are. */
function valueUnion(): avro.types.WrappedUnionType {
  assert.ok(schema instanceof avro.types.RecordType)
  const image = schema.field('beforeImages').type
  assert.ok(image instanceof avro.types.WrappedUnionType)
  const list = image.types[2]
  assert.ok(list instanceof avro.types.ArrayType)
  assert.ok(list.itemsType instanceof avro.types.WrappedUnionType)
  return list.itemsType
}

test('the branches of a value have the names and numbers of the Avro schema', () => {
  assert.deepEqual(
    valueUnion().types.map((type) => type.name ?? type.typeName),
    valueBranches,
  )
})

test('the grammar describes the fields and branches of the Avro schema, in their order', () => {
  const fields = [...text.matchAll(/^ \* {7}([a-z]\w+) /gm)].map(([, name]) => name)
  assert.deepEqual(
    fields,
    schema.fields.map(({ name }) => name),
  )
  const branches = [...text.matchAll(/^ \* {6,8}(\d+) (\w+)/gm)].map(([, number, name]) => [
    Number(number),
    name,
  ])
  assert.deepEqual(
    branches,
    valueBranches.map((name, number) => [number, name]),
  )
})
