import assert from 'node:assert/strict'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { alarmsOf } from '../../infra/alarms.ts'
import { artefactOf } from '../../infra/artefact.ts'
import { dashboardOf } from '../../infra/dashboard.ts'
import { rolesOf } from '../../infra/roles.ts'
import { sidsOfOtherStages, sourceNames, streamsOf } from '../../infra/sources.ts'
import { findTables, type Settings } from '../../infra/tables.ts'
import { readArtefact } from '../../lib/dispatch/artefact.ts'
import { copyService, type ServiceCopy } from '../support/service-copy.ts'

const shell = {
  DTS_BROKER_URL: 'shop:18001',
  DTS_TOPIC: 'shop',
  DTS_SID: 'dtsshop',
  DTS_PASSWORD_SECRET: 'p/shop',
}
const crm = {
  address: 'crm:18001',
  topic: 'crm',
  sid: 'dtscrm',
  user: 'reader',
  secret: 'p/crm',
  start: 1_790_000_000,
}
const plain = {
  address: 'kafka:9092',
  topic: 'erp',
  group: 'readers',
  tls: true,
  allowedNodes: ['*.example.com', 'a'],
}

describe('custom.sources', () => {
  test('adds streams beside the one of the shell, each with the variables of its own', () => {
    assert.deepEqual(streamsOf({ crm, erp: plain }, true, shell), [
      { source: '', variables: shell },
      {
        source: 'crm',
        variables: {
          DTS_BROKER_URL: 'crm:18001',
          DTS_TOPIC: 'crm',
          DTS_SID: 'dtscrm',
          DTS_USER: 'reader',
          DTS_PASSWORD_SECRET: 'p/crm',
          DTS_CHECKPOINT: '1790000000',
        },
      },
      {
        source: 'erp',
        variables: {
          DTS_BROKER_URL: 'kafka:9092',
          DTS_TOPIC: 'erp',
          DTS_GROUP: 'readers',
          DTS_TLS: 'true',
          DTS_ALLOWED_NODES: '*.example.com,a',
        },
      },
    ])
  })

  test('replaces the stream of the shell if all handlers are in folders of sources', () => {
    assert.deepEqual(
      streamsOf({ crm }, false, shell).map(({ source }) => source),
      ['crm'],
    )
    assert.deepEqual(streamsOf({}, false, shell), [{ source: '', variables: shell }])
  })

  const refused = [
    [{ CRM: crm }, /names "CRM"\. A name has 1 to 20 lower-case letters/, 'a name with capitals'],
    [{ 'crm-eu': crm }, /names "crm-eu"\. A name has 1 to 20 lower-case letters/, 'a name with a dash'],
    [
      { crm: { ...crm, sid: undefined } },
      /needs either sid \(DTS\) or group/,
      'a source without sid and group',
    ],
    [{ crm: { ...crm, group: 'g' } }, /needs either sid \(DTS\) or group/, 'a source with both'],
    [{ crm: { ...crm, adress: 'x' } }, /adress/, 'a misspelt member'],
    [{ crm: { ...crm, address: '' } }, /address/, 'an empty address'],
    [
      { crm, erp: { ...crm, topic: 'other' } },
      /custom\.sources\.crm and custom\.sources\.erp have the same sid dtscrm\./,
      'two sources with one sid',
    ],
    [
      { crm: { ...crm, sid: 'dtsshop' } },
      /The stream of the variables DTS_… and custom\.sources\.crm have the same sid dtsshop\./,
      'the sid of the shell',
    ],
    [
      { erp: plain, more: plain },
      /have the same group readers of kafka:9092 erp\./,
      'two sources with one group on one topic',
    ],
  ] as const
  for (const [sources, message, reason] of refused) {
    test(`is refused with ${reason}`, () => {
      assert.throws(() => streamsOf(sources, true, shell), { code: 'CONFIG_INVALID', message })
    })
  }

  test('may have one Kafka group for several topics', () => {
    assert.equal(streamsOf({ erp: plain, more: { ...plain, topic: 'more' } }, true, shell).length, 3)
  })

  test('has a fault if a file of variables gives its sid to another stage', () => {
    const streams = streamsOf({ crm }, true, shell)
    for (const text of [
      'DTS_SID=dtscrm',
      'A=1\n  export DTS_SID = "dtscrm" # group\n',
      "DTS_SID='dtscrm'\r\n",
    ]) {
      const [fault = '', ...others] = sidsOfOtherStages(streams, [{ name: '.env.dev', text }])
      assert.deepEqual(others, [])
      assert.match(
        fault,
        /^custom\.sources\.crm has the sid dtscrm, and \.env\.dev gives it to another stage/,
      )
    }
    const harmless = '#DTS_SID=dtscrm\nDTS_SID=dtscrm2\nMY_DTS_SID=dtscrm\n'
    assert.deepEqual(sidsOfOtherStages(streams, [{ name: '.env.dev', text: harmless }]), [])
  })
})

describe('the files of functions/tables/<source>', () => {
  let service: ServiceCopy
  let folder: string
  before(() => {
    service = copyService()
    folder = join(service.folder, 'functions/tables')
    mkdirSync(join(folder, 'crm'))
    mkdirSync(join(folder, 'billing'))
    for (const name of ['customers', 'order_items']) rmSync(join(folder, `${name}.ts`))
    write('crm/orders.ts', 'shop.orders')
    write('crm/eu/people.ts', 'crm.people')
    write('billing/invoices.ts', 'billing.invoices')
  })
  after(() => service.remove())

  function write(name: string, table: string): void {
    mkdirSync(join(folder, name, '..'), { recursive: true })
    writeFileSync(
      join(folder, name),
      `import { z } from 'zod'
import { defineTable } from '${join(service.folder, 'lib/handler/define-table.ts')}'
export const handler = defineTable({ table: '${table}', row: z.object({ id: z.bigint() }), onChange() {} })
`,
    )
  }

  async function found() {
    const sources = { crm }
    const tables = await findTables(folder, sourceNames(sources))
    const streams = streamsOf(sources, true, shell)
    const settings: Settings = {
      prefix: 'shop-prod-',
      flags: '',
      service: 'shop',
      stage: 'prod',
      checkpointTable: 'c',
      streams,
      tables: {},
      stream: {},
      account: {},
    }
    return { tables, settings }
  }

  test('belong to that source, and may handle a table that another source has too', async () => {
    const { tables } = await found()
    assert.deepEqual(
      tables.map(({ key, source }) => [key, source]),
      [
        ['billing-invoices', ''],
        ['crm-eu-people', 'crm'],
        ['crm-orders', 'crm'],
        ['orders', ''],
      ],
    )
    const artefact = artefactOf(tables, ['', 'crm'])
    assert.deepEqual(Object.keys(readArtefact(artefact, '', '')), ['billing.invoices', 'shop.orders'])
    const routes = readArtefact(artefact, 'crm', 'shop-prod-')
    assert.equal(routes['shop.orders']?.functionName, 'shop-prod-crm-orders')
  })

  test('are invoked by the poller and the recovery of their source only, which reach nothing of another source', async () => {
    const { tables, settings } = await found()
    const roles = rolesOf(tables, settings)
    const [shop, own] = [JSON.stringify(roles.PollerRole), JSON.stringify(roles.PollerDashcrmRole)]
    for (const [name, mine, theirs] of [
      ['function:shop-prod-orders', shop, own],
      ['function:shop-prod-billing-invoices', shop, own],
      ['secret:p/shop', shop, own],
      ['"DeadLetterQueue"', shop, own],
      ['log-group:/aws/lambda/shop-prod-poller:', shop, own],
      ['function:shop-prod-crm-orders', own, shop],
      ['function:shop-prod-crm-eu-people', own, shop],
      ['secret:p/crm', own, shop],
      ['"DeadLetterQueueCrm"', own, shop],
      ['log-group:/aws/lambda/shop-prod-poller-crm:', own, shop],
      ['"dynamodb:LeadingKeys":["crm:*"]', own, shop],
    ] as const) {
      assert.ok(mine.includes(name), name)
      assert.ok(!theirs.includes(name), name)
    }
    assert.ok('RecoveryDashcrmRole' in roles)
    const schedule = JSON.stringify(roles.PollerScheduleExecution)
    for (const name of ['shop-prod-poller', 'shop-prod-poller-crm'])
      assert.ok(schedule.includes(`${name}"`), name)
  })

  test('that would have the name of a source’s poller are refused', async () => {
    write('poller-crm.ts', 'shop.pollers')
    const message =
      /functions\/tables\/poller-crm\.ts: the name "poller-crm" is taken by the poller of a stream/
    await assert.rejects(found(), { code: 'CONFIG_INVALID', message })
    rmSync(join(folder, 'poller-crm.ts'))
  })
})

test('alarms and dashboard of a named source watch its own poller and queue, under names of their own', () => {
  const common = {
    prefix: 'shop-prod-',
    stream: { source: 'crm' },
    deadLetterQueue: 'shop-prod-crm-dead-letters.fifo',
  }
  const alarms = alarmsOf({ ...common, thresholds: {}, topicArn: '', email: '' })
  assert.equal(Object.keys(alarms).length, 9)
  for (const [id, alarm] of Object.entries(alarms)) {
    assert.match(id, /AlarmCrm$/)
    const text = JSON.stringify(alarm)
    assert.match(text, /"AlarmName":"shop-prod-crm-/)
    assert.match(text, /"Value":"shop-prod-(poller-crm|crm-dead-letters\.fifo)"/)
    assert.doesNotMatch(text, /"Value":"shop-prod-poller"/)
  }
  const dashboard = JSON.stringify(dashboardOf({ ...common, tables: ['crm-orders'] }))
  assert.match(dashboard, /"DashboardName":"shop-prod-crm-stream"/)
  assert.doesNotMatch(dashboard, /shop-prod-poller\\"/)
})
