import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { print } from '../../../infra/operate/print.ts'
import type { Inspection } from '../../../lib/recovery/inspect.ts'

const place = (offset: string) => ({ clusterId: 'c', offset, generation: 1 })
const inspection: Inspection = {
  action: 'inspect',
  checks: [],
  storedFault: null,
  stored: null,
  found: null,
  group: null,
  lagSeconds: null,
  lagRecords: null,
  secondsUntilLoss: null,
  ledger: [],
  advice: 'Nothing to do.',
  command: null,
}

describe('the lines of inspect', () => {
  test('number those entries of the ledger that a rollback can undo', () => {
    const ledger = [
      { at: 0, by: 'me', how: 'reset by offset', from: place('9'), to: place('4'), entry: 0 },
      { at: 1, by: 'me', how: 'resume after PAUSED', from: place('4'), to: place('4'), entry: null },
    ]
    const lines = print({ ...inspection, ledger }, '').filter((line) => line.startsWith('ledger'))
    assert.deepEqual(lines, [
      'ledger   #0  1970-01-01T00:00:00.000Z  reset by offset  9 → 4  by me',
      'ledger       1970-01-01T00:00:00.001Z  resume after PAUSED  4 → 4  by me',
    ])
  })

  test('tell a checkpoint that cannot be read from none', () => {
    const fault = 'CHECKPOINT_TABLE_UNAVAILABLE: The DynamoDB table t does not exist.'
    assert.ok(print({ ...inspection, storedFault: fault }, '').includes(`stored   ${fault}`))
    assert.ok(
      !print({ ...inspection, storedFault: fault }, '')
        .join()
        .includes('nothing read yet'),
    )
    assert.ok(print(inspection, '').join().includes('nothing read yet'))
  })
})
