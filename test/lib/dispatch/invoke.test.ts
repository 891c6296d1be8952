import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { localAws } from '../../../infra/local/dynalite.ts'
import { handlerClient } from '../../../lib/connect/handler-client.ts'
import { type Batch, packEvents, toBatch } from '../../../lib/dispatch/batch-format.ts'
import { lambdaInvoke, readAnswer } from '../../../lib/dispatch/invoke.ts'
import { startInvokeServer } from '../../rig/invoke-server.ts'
import { eventsAt } from '../../support/dispatch.ts'

const sent = eventsAt(7, 8, 10)
const batch: Batch = {
  ...toBatch(packEvents(sent), {
    topic: 't',
    partition: 0,
    clusterId: 'c',
    generation: 1,
    replayUntil: null,
  }),
  batchId: 'this',
}
const failure = { offset: '7', code: 'ROW_INVALID', message: 'status is missing' }

test('a well-formed answer to this batch counts as an acknowledgement', () => {
  const accepted: [answer: unknown, through: bigint | null, error: RegExp | null, reason: string][] = [
    [{ batchId: 'this', acknowledgedThrough: '10' }, 10n, null, 'all of it'],
    [{ batchId: 'this', acknowledgedThrough: '8' }, 8n, null, 'a part: the time ran short'],
    [
      { batchId: 'this', acknowledgedThrough: '7', failure: { ...failure, offset: '8' } },
      7n,
      /function orders .*at offset 8 it failed with ROW_INVALID: status is missing/,
      'a part and why',
    ],
    [
      { batchId: 'this', acknowledgedThrough: null, failure },
      null,
      /at offset 7 it failed/,
      'nothing and why',
    ],
  ]
  for (const [answer, through, error, reason] of accepted) {
    const result = readAnswer('orders', batch, sent, JSON.stringify(answer))
    assert.ok(result.kind === 'acknowledged', reason)
    assert.equal(result.through, through, reason)
    if (error === null) assert.equal(result.error, null, reason)
    else assert.match(result.error?.message ?? '', error, reason)
  }
})

const failing = (acknowledgedThrough: string | null, offset: string) =>
  JSON.stringify({ batchId: 'this', acknowledgedThrough, failure: { ...failure, offset } })

test('every other answer counts as a failure', () => {
  const refused: [answer: string, reason: RegExp][] = [
    ['', /not JSON/],
    ['OK', /not JSON/],
    ['null', /not an acknowledgement/],
    ['true', /not an acknowledgement/],
    ['[]', /not an acknowledgement/],
    ['{}', /not an acknowledgement/],
    ['{"statusCode":200}', /not an acknowledgement/],
    ['{"batchId":"this"}', /not an acknowledgement/],
    ['{"acknowledgedThrough":"10"}', /not an acknowledgement/],
    ['{"batchId":"this","acknowledgedThrough":10}', /not an acknowledgement/],
    ['{"batchId":"this","acknowledgedThrough":""}', /not an acknowledgement/],
    ['{"batchId":"this","acknowledgedThrough":"10","batchItemFailures":[]}', /not an acknowledgement/],
    ['{"batchId":"this","acknowledgedThrough":null,"failure":{}}', /not an acknowledgement/],
    ['{"batchId":"that","acknowledgedThrough":"10"}', /another batch/],
    ['{"batchId":"this","acknowledgedThrough":"9"}', /not sent/],
    ['{"batchId":"this","acknowledgedThrough":"11"}', /not sent/],
    ['{"batchId":"this","acknowledgedThrough":"010"}', /not an acknowledgement/],
    ['{"batchId":"this","acknowledgedThrough":null}', /did nothing and named no reason/],
    [failing('10', '7'), /offset 7 as failed, which does not come right after the last acknowledged offset/],
    [failing('10', '10'), /offset 10 as failed/],
    [failing('10', '11'), /offset 11 as failed/],
    [failing('7', '7'), /offset 7 as failed/],
    [failing('7', '10'), /offset 10 as failed/],
    [failing('8', '9'), /offset 9 as failed/],
    [failing(null, '8'), /offset 8 as failed/],
  ]
  for (const [answer, reason] of refused) {
    const result = readAnswer('orders', batch, sent, answer)
    assert.equal(result.kind, 'failed', answer)
    if (result.kind !== 'failed') continue
    assert.deepEqual([result.error.code, result.error.retryable], ['HANDLER_FAILED', true])
    assert.match(result.error.message, reason)
    assert.match(result.error.message, /function orders/)
  }
})

test('a batch that came too late counts as no failure of its events: they wait and are sent again', () => {
  const answer = { batchId: 'this', acknowledgedThrough: null, refused: 'late' }
  const result = readAnswer('orders', batch, sent, JSON.stringify(answer))
  assert.ok(result.kind === 'unavailable')
  assert.deepEqual([result.error.code, result.error.retryable], ['HANDLER_UNAVAILABLE', true])
  assert.deepEqual(result.error.facts, { function: 'orders' })
  assert.match(
    result.error.message,
    /function orders started so late .*sent again.*starts too slowly, or clocks/,
  )
  assert.equal(
    readAnswer('orders', batch, sent, JSON.stringify({ ...answer, batchId: 'that' })).kind,
    'failed',
  )
  assert.equal(
    readAnswer('orders', batch, sent, JSON.stringify({ ...answer, refused: 'busy' })).kind,
    'failed',
  )
})

/** The real client with a server that speaks Lambda's API. */
async function invoking(t: TestContext) {
  const server = await startInvokeServer()
  Object.assign(process.env, localAws, { AWS_ENDPOINT_URL_LAMBDA: server.endpoint })
  const client = handlerClient(10_000)
  t.after(() => {
    client.destroy()
    return server.stop()
  })
  server.host('orders', async (event) => {
    const { batchId } = event as { batchId: string }
    return { batchId, acknowledgedThrough: '8' }
  })
  return { server, invoke: lambdaInvoke(client) }
}

describe('a long message of a function is cut', () => {
  const long = `${'x'.repeat(1_999)}\u{1F600}${'y'.repeat(500_000)}`
  const cut = `${'x'.repeat(1_999)}\uFFFD`

  test('in an acknowledgement', () => {
    const said = { ...failure, code: long, message: long }
    const answer = { batchId: 'this', acknowledgedThrough: null, failure: said }
    const result = readAnswer('orders', batch, sent, JSON.stringify(answer))
    assert.ok(result.kind === 'acknowledged')
    assert.ok(result.error?.message.endsWith(`at offset 7 it failed with ${cut}: ${cut}.`))
  })

  test('in an error of the function', async (t) => {
    const { server, invoke } = await invoking(t)
    server.host('orders', () => assert.fail('the fault answers'))
    const cases: [type: string, message: string, kind: string, reason: string][] = [
      [long, 'm', 'failed', `it threw ${cut}`],
      ['Sandbox.Timedout', long, 'failed', `Sandbox.Timedout: ${cut}.`],
      [
        'Runtime.ImportModuleError',
        long,
        'unavailable',
        `(Runtime.ImportModuleError: ${cut}). Its events wait`,
      ],
    ]
    for (const [type, message, kind, reason] of cases) {
      server.fail('orders', { kind: 'error', type, message })
      const result = await invoke('orders', batch, sent)
      assert.equal(result.kind, kind)
      assert.ok(result.error?.message.includes(reason), type.slice(0, 30))
    }
    assert.equal(server.faultsFired('orders'), cases.length)
    server.fail('orders', { kind: 'service', status: 403, type: 'x'.repeat(9_000) })
    const denied = await invoke('orders', batch, sent)
    assert.equal(denied.kind, 'unavailable')
    assert.ok((denied.error?.message.length ?? 0) < 2_500)
  })
})

describe('an error of the function itself', () => {
  const broken = [
    'CONFIG_INVALID',
    'Runtime.ImportModuleError',
    'Runtime.HandlerNotFound',
    'Runtime.UserCodeSyntaxError',
    'Runtime.MalformedHandlerName',
  ]
  test('that says that the function cannot start is not caused by its changes: they wait for a deployment', async (t) => {
    const { server, invoke } = await invoking(t)
    for (const type of broken) {
      server.fail('orders', { kind: 'error', type, message: 'what Lambda says of the deployment' })
      const result = await invoke('orders', batch, sent)
      assert.equal(result.kind, 'unavailable', type)
      assert.deepEqual([result.error?.code, result.error?.retryable], ['HANDLER_UNAVAILABLE', true])
      assert.match(
        result.error?.message ?? '',
        new RegExp(`${type}: what Lambda says of the deployment.*deploy poller and table functions together`),
      )
      assert.deepEqual(result.error?.facts, { function: 'orders' })
    }
  })

  test('with any other name counts as a failure of its changes', async (t) => {
    const { server, invoke } = await invoking(t)
    const others = [
      'TypeError',
      'Runtime.ExitError',
      'Runtime.HandlerNotFoundError',
      'MyRuntime.HandlerNotFound',
    ]
    for (const type of others) {
      server.fail('orders', { kind: 'error', type, message: 'm' })
      assert.equal((await invoke('orders', batch, sent)).kind, 'failed', type)
    }
  })

  test('is quoted only if its message cannot contain a row', async (t) => {
    const { server, invoke } = await invoking(t)
    const cases: [type: string, isRepeated: boolean][] = [
      ['Sandbox.Timedout', true],
      ['Runtime.ExitError', true],
      ['Runtime.OutOfMemory', true],
      ['ROW_INVALID', true],
      ['TypeError', false],
      ['Runtime.UnhandledPromiseRejection', false],
      ['Runtime.ExitErrors', false],
      ['MySandbox.Timedout', false],
    ]
    for (const [type, isRepeated] of cases) {
      server.fail('orders', { kind: 'error', type, message: 'the name of a customer' })
      const result = await invoke('orders', batch, sent)
      assert.equal(result.error?.message.includes('the name of a customer'), isRepeated, type)
      assert.ok(result.error?.message.includes(type), type)
    }
  })

  test('without a name or a message, or in another form, counts as a failure of its changes', async (t) => {
    const { server, invoke } = await invoking(t)
    const cases: [text: string, reason: RegExp][] = [
      ['{}', /: it threw Error; the message is in the function's own log/],
      ['{"errorType":"Sandbox.Timedout"}', /: Sandbox\.Timedout: no message\./],
      ['', /: it threw An unknown error; /],
      ['out of order', /: it threw An unknown error; /],
      ['{"errorType":5,"errorMessage":"canary"}', /: it threw An unknown error; /],
    ]
    for (const [text, reason] of cases) {
      server.fail('orders', { kind: 'payload', text, isError: true })
      const result = await invoke('orders', batch, sent)
      assert.ok(result.kind === 'failed', text)
      assert.deepEqual([result.error.code, result.error.facts], ['HANDLER_FAILED', { function: 'orders' }])
      assert.match(result.error.message, reason)
    }
  })

  test('of the Lambda service shows whether the function may have started', async (t) => {
    const { server, invoke } = await invoking(t)
    const cases: [status: number, kind: string][] = [
      [403, 'unavailable'],
      [404, 'unavailable'],
      [413, 'unavailable'],
      [429, 'unavailable'],
      [499, 'unavailable'],
      [500, 'unknown'],
      [502, 'unknown'],
      [503, 'unknown'],
    ]
    for (const [status, kind] of cases) {
      server.fail('orders', { kind: 'service', status, type: 'AnyException' })
      const { kind: seen, error } = await invoke('orders', batch, sent)
      assert.equal(seen, kind, String(status))
      assert.deepEqual(
        [error?.code, error?.retryable, error?.facts],
        ['HANDLER_UNAVAILABLE', true, { function: 'orders' }],
      )
      const means =
        kind === 'unavailable'
          ? /function orders could not be invoked \(.*AnyException.*Its events wait: deploy it, or correct the poller's role/
          : /No answer came from the function orders \(.*may still be running.*sent again when it must have ended/
      assert.match(error?.message ?? '', means)
      assert.ok(error?.cause instanceof Error)
    }
    // One request for each case: a retry inside the SDK could run a second copy of a handler.
    assert.equal(server.invocations('orders'), cases.length)
    assert.equal((await invoke('orders', batch, sent)).kind, 'acknowledged')
  })
})
