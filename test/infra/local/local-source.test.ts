import assert from 'node:assert/strict'
import { test } from 'node:test'
import { localSource, notRun } from '../../../infra/local/local-source.ts'
import { UsageError } from '../../../infra/operate/report.ts'

const of = (...sources: readonly string[]) => sources.map((source) => ({ source }))

test('without --source, the handlers of the stream without a name run, and the others are named', () => {
  const chosen = localSource(undefined, ['crm', 'erp'], of('', 'erp', 'crm', ''))
  assert.deepEqual(chosen, { source: '', others: ['crm', 'erp'] })
  assert.equal(
    notRun(chosen),
    'Not run: the handlers of crm (npm start -- --source crm), erp (npm start -- --source erp)',
  )
})

test('with --source, the handlers of that source run, and the others are named', () => {
  const chosen = localSource('crm', ['crm'], of('', 'crm'))
  assert.deepEqual(chosen, { source: 'crm', others: [''] })
  assert.equal(notRun(chosen), 'Not run: the handlers of the stream without a name (npm start)')
})

test('the only stream with handlers runs without --source', () => {
  const chosen = localSource(undefined, ['crm', 'erp'], of('crm', 'crm'))
  assert.deepEqual(chosen, { source: 'crm', others: [] })
  assert.equal(notRun(chosen), null)
  assert.equal(localSource(undefined, [], []).source, '')
})

const refused: [reason: string, asked: string | undefined, names: string[], own: string[], told: RegExp][] = [
  [
    'several named sources only',
    undefined,
    ['crm', 'erp'],
    ['erp', 'crm'],
    /--source crm or --source erp\.$/,
  ],
  ['an unknown source', 'cmr', ['crm', 'erp'], [''], /no source "cmr": custom\.sources .* has crm, erp\.$/],
  ['a service without sources', 'crm', [], [''], /no source "crm": custom\.sources .* names none\.$/],
  ['a source without a handler', 'erp', ['crm', 'erp'], ['crm'], /into functions\/tables\/erp\/\.$/],
]
for (const [reason, asked, names, own, told] of refused) {
  test(`${reason}: is refused with what to choose`, () => {
    assert.throws(
      () => localSource(asked, names, of(...own)),
      (error: unknown) => error instanceof UsageError && told.test(error.message),
    )
  })
}
