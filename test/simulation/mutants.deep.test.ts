import assert from 'node:assert/strict'
import { test } from 'node:test'
import { judgeAll } from './mutants.ts'
import { mutants } from './mutations.ts'

test('a mutant is caught in a copy of the code in which the same place without a fault violates nothing', async () => {
  const mutant = mutants.find(({ name }) => name === 'acquire: a live lease is taken')
  assert.ok(mutant)
  const harmless = { ...mutant, name: 'no fault', put: mutant.find }
  const [broken, whole] = await judgeAll(20, [mutant, harmless])
  assert.equal(broken?.caught?.invariant, 'I3')
  assert.equal(whole?.caught, null)
})
