import '../rig/quiet.ts'
import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import { handler as poller } from '../../functions/poller.ts'
import { handler as recovery } from '../../functions/recovery.ts'
import { context } from '../rig/context.ts'

const now = () => context('test', () => 60_000)

describe('a function that is deployed without its settings', () => {
  before(() => {
    for (const name of Object.keys(process.env)) if (/^(DTS|POLL)_/.test(name)) delete process.env[name]
    delete process.env.CHECKPOINT_TABLE
  })

  test('loads, and each invocation fails and names the missing settings', async () => {
    for (let invocation = 0; invocation < 2; invocation++) {
      await assert.rejects(poller({}, now()), {
        name: 'CONFIG_INVALID',
        message: /DTS_BROKER_URL is missing.*CHECKPOINT_TABLE is missing/,
      })
      await assert.rejects(recovery({ action: 'inspect' }, now()), {
        name: 'CONFIG_INVALID',
        message: /DTS_BROKER_URL is missing/,
      })
    }
  })

  test('recovery validates the event before it connects to anything', async () => {
    await assert.rejects(recovery({ action: 'reset', to: 'nowhere' }, now()), {
      name: 'CONFIG_INVALID',
      message: /not one that recovery knows.*To see .*\{"action":"inspect"\}/s,
    })
  })
})
