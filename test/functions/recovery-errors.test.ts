import '../rig/captured-log.ts'
import assert from 'node:assert/strict'
import { before, beforeEach, describe, test } from 'node:test'
import { handler } from '../../functions/recovery.ts'
import { freePort } from '../../infra/local/ports.ts'
import { DtsError } from '../../lib/errors.ts'
import { takeErrorLog } from '../rig/captured-log.ts'
import { context } from '../rig/context.ts'
import { packageRoutes } from '../support/test-config.ts'

const call = (event: unknown) =>
  handler(
    event,
    context('test-recovery', () => 60_000),
  )
const serverless = `npx serverless invoke --stage prod -f recovery --data '{"action":"inspect"}'`
const inspect = { action: 'inspect' }

describe('an error of the recovery function', () => {
  before(async () => {
    packageRoutes('{}')
    Object.assign(process.env, {
      DEPLOYMENT_FLAGS: '--stage prod',
      DTS_BROKER_URL: '127.0.0.1:1',
      DTS_TOPIC: 'topic',
      DTS_SID: 'sid',
      DTS_USER: 'user',
      DTS_PASSWORD: 'password',
      CHECKPOINT_TABLE: 'checkpoints',
      FUNCTION_PREFIX: 'test-',
      HANDLER_TIMEOUT_SECONDS: '1',
      AWS_REGION: 'eu-central-1',
      AWS_ACCESS_KEY_ID: 'test',
      AWS_SECRET_ACCESS_KEY: 'test',
      AWS_ENDPOINT_URL_DYNAMODB: `http://127.0.0.1:${await freePort()}`,
    })
  })
  beforeEach(() => void takeErrorLog())

  test('is thrown with the serverless command of this deployment in its message', async () => {
    await assert.rejects(call({ action: 'erase' }), (error) => {
      assert.ok(error instanceof DtsError)
      assert.equal(error.code, 'CONFIG_INVALID')
      assert.ok(error.message.endsWith(serverless), error.message)
      return true
    })
  })

  test('is returned as values, without a command line, if the event asks for data', async () => {
    const answer = await call({ action: 'erase', reply: 'data' })
    assert.ok('error' in answer && typeof answer.error === 'object' && answer.error !== null)
    const { code, message, facts, next } = answer.error
    assert.deepEqual([code, facts, next], ['CONFIG_INVALID', {}, [inspect]])
    assert.doesNotMatch(message, /npx|npm run/)
  })

  test('is refused if the event asks for another form of reply', async () => {
    await assert.rejects(call({ ...inspect, reply: 'xml' }), { code: 'CONFIG_INVALID', message: /"reply"/ })
  })

  test('is logged with code, facts and cause, in both forms', async () => {
    await assert.rejects(call({ action: 'pause' }), { code: 'CHECKPOINT_TABLE_UNAVAILABLE' })
    const thrown = takeErrorLog()
    await call({ action: 'pause', reply: 'data' })
    const returned = takeErrorLog()
    for (const line of [thrown, returned]) {
      assert.match(line, /"message": "Recovery failed"/)
      assert.match(line, /"code": "CHECKPOINT_TABLE_UNAVAILABLE"/)
      assert.match(line, /"facts": \{ "table": "checkpoints" \}/)
      assert.match(line, /"cause": \{[^}]*"code": "ECONNREFUSED"/)
    }
  })
})
