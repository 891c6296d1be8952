import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkConflicts } from '../../infra/table-conflicts.ts'
import { Router } from '../../lib/dispatch/routes.ts'
import { route } from '../support/dispatch.ts'

/** 150 files with 1,000 patterns: names, patterns, and narrower patterns within those. */
const files = Array.from({ length: 150 }, (_, index) => ({
  file: `functions/tables/domain_${index}.ts`,
  tables: {
    patterns: [
      ...Array.from({ length: 4 }, (_, at) => `shop_${index}.table_${at}_*`),
      `shop_${index}.orders`,
      `shop_${index}.*`,
      ...(index < 100 ? [`archive_*.domain_${index}`] : []),
    ],
    except: [],
  },
}))

test('a thousand patterns of 150 files are accepted, and each of a thousand tables gets its own file', () => {
  assert.equal(files.flatMap(({ tables }) => tables.patterns).length, 1_000)
  checkConflicts(files)
  const routes = files.flatMap(({ file, tables }) =>
    tables.patterns.map((text) => [text, route(file)] as const),
  )
  const router = new Router(Object.fromEntries(routes))
  const fileOf = (table: string) =>
    router.routesFor(table, () => null).routes.map(({ functionName }) => functionName)
  for (const [index, { file }] of files.entries()) {
    for (let at = 0; at < 4; at++) assert.deepEqual(fileOf(`shop_${index}.table_${at}_2026`), [file])
    assert.deepEqual(fileOf(`shop_${index}.orders`), [file])
    assert.deepEqual(fileOf(`shop_${index}.anything`), [file])
  }
  for (let index = 0; index < 100; index++) {
    assert.deepEqual(fileOf(`archive_2020.domain_${index}`), [`functions/tables/domain_${index}.ts`])
  }
})

test('two files among them that can match one table are still found', () => {
  const late = { file: 'functions/tables/late.ts', tables: { patterns: ['*.table_3_x'], except: [] } }
  assert.throws(() => checkConflicts([...files, late]), {
    code: 'CONFIG_INVALID',
    message:
      /^"shop_0\.table_3_\*" of .*domain_0\.ts and "\*\.table_3_x" of .*late\.ts can match the same table/,
  })
})
