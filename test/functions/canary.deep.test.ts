import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const program = fileURLToPath(new URL('canary-process.ts', import.meta.url))

interface Line {
  readonly service?: string
  readonly function_name?: string
  readonly message?: string
  readonly _aws?: object
  readonly [name: string]: unknown
}

describe('the output of the functions while handlers fail, rows are wrong and bytes are not a record', () => {
  let output: string
  let lines: Line[]
  let runs: { ended?: string; failures?: number; thrown?: string }[]

  before(async () => {
    // Lambda sets this variable. Here, all functions run in one process.
    const { PATH, HOME } = process.env
    const env = { PATH, HOME, AWS_LAMBDA_FUNCTION_NAME: 'test-tables' }
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [program], { env })
    output = stdout + stderr
    const printed = output.split('\n').filter((line) => line.startsWith('{'))
    lines = printed.map((line) => JSON.parse(line) as Line)
    runs = JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '[]')
  })

  test('comes from failures that really happened', () => {
    assert.equal(runs[0]?.failures, 5)
    assert.deepEqual(
      runs.slice(-2).map(({ thrown }) => thrown),
      ['RECORD_INVALID', 'STREAM_HALTED'],
    )
    for (const text of [
      'HANDLER_FAILED',
      'RECORD_INVALID',
      'in shop.wrong is not the declared row (card: has another type than declared',
      'in shop.strict is not the declared row (card: has members that are not declared)',
      'in shop.refines is not the declared row (*: is refused by a check of its schema)',
    ]) {
      assert.ok(output.includes(text), text)
    }
  })

  test('contains no value of a row, no raw bytes and no password, in any encoding', () => {
    for (const canary of ['CANARY-card', 'CANARY-raw-bytes', 'CANARY-password']) {
      const bytes = Buffer.from(canary)
      const forms = [
        canary,
        bytes.toString('hex'),
        bytes.toString('base64').slice(0, 12),
        [...bytes].join(','),
      ]
      // The form in which util.inspect prints a Buffer.
      forms.push((bytes.toString('hex').match(/../g) ?? []).join(' '))
      for (const form of forms) assert.ok(!output.includes(form), `${form} is printed`)
    }
  })

  test("has a handler's own message in the handler's log only, not in the poller's", () => {
    for (const [message, functionName] of [
      ['HANDLER-MESSAGE', 'test-throws'],
      ['CHECK-MESSAGE', 'test-refines'],
    ] as const) {
      const telling = lines.filter((line) => JSON.stringify(line).includes(message))
      assert.ok(telling.length > 0)
      for (const { function_name, service } of telling) {
        assert.deepEqual([function_name, service], [functionName, 'test-tables'])
      }
    }
    assert.ok(!output.includes('CRASH-MESSAGE'))
  })

  test('is one log line for each run, and metrics with the function as service', () => {
    const ends = lines.filter(({ message }) => message === 'Poll ended' || message === 'Poll failed')
    assert.equal(ends.length, runs.length)
    const metrics = lines.filter(({ _aws, function: name }) => _aws !== undefined && name === undefined)
    assert.equal(metrics.length, runs.length)
    for (const { service } of metrics) assert.equal(service, 'test-poller')
    const first = metrics[0]
    assert.deepEqual(
      [first?.Halted, first?.Failed, first?.Fetched, first?.Handled, first?.DeadLettered],
      [0, 0, 6, 1, 0],
    )
    assert.ok(Number(first?.Retried) >= 5)
    assert.ok(Number(first?.LagSeconds) >= 0)
    assert.equal(first?.LagRecords, 5)
    assert.equal(first?.SecondsUntilLoss, 0)
    const byFunction = lines.filter((line) => line._aws !== undefined && line.function === 'test-fine')
    assert.equal(byFunction[0]?.Handled, 1)
    for (const last of metrics.slice(-2)) {
      assert.deepEqual([last.Halted, last.Failed, last.code], [1, 0, 'RECORD_INVALID'])
    }
  })
})
