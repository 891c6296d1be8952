import assert from 'node:assert/strict'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { alarmsOf } from '../../infra/alarms.ts'
import { artefactOf } from '../../infra/artefact.ts'
import { dashboardOf } from '../../infra/dashboard.ts'
import type { Statement } from '../../infra/iam.ts'
import { limitProblems, type Resource, type Template } from '../../infra/limits.ts'
import { rolesOf } from '../../infra/roles.ts'
import { sidsOfOtherStages, sourceNames, streamsOf } from '../../infra/sources.ts'
import { streamFunctions } from '../../infra/stream-functions.ts'
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

/** Settings that do not matter here. */
const unused = {
  flags: '',
  service: 'shop',
  stage: 'prod',
  checkpointTable: 'c',
  tables: {},
  stream: {},
  account: {},
}

describe('custom.sources', () => {
  test('adds streams beside the one of the shell, each with the variables of its own', () => {
    assert.deepEqual(streamsOf({ crm, erp: plain }, true, shell), [
      { source: '', variables: shell, partitions: null },
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
        partitions: null,
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
        partitions: null,
      },
    ])
  })

  test('name the password as a secret or as an SSM parameter', () => {
    const [, source] = streamsOf({ crm: { ...crm, secret: undefined, parameter: ' /p/crm ' } }, true, shell)
    assert.equal(source?.variables.DTS_PASSWORD_PARAMETER, '/p/crm')
    assert.equal(source.variables.DTS_PASSWORD_SECRET, undefined)
  })

  test('replaces the stream of the shell if all handlers are in folders of sources', () => {
    assert.deepEqual(
      streamsOf({ crm }, false, shell).map(({ source }) => source),
      ['crm'],
    )
    assert.deepEqual(streamsOf({}, false, shell), [{ source: '', variables: shell, partitions: null }])
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
    [{ crm: { ...crm, partitions: 4 } }, /a DTS task has one partition/, 'partitions of a DTS task'],
    [{ erp: { ...plain, partitions: 17 } }, /partitions/, 'more partitions than a service can have'],
    [{ erp: { ...plain, partitions: 1 } }, /partitions/, 'a single partition'],
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

  test('may have blanks around its settings, which are no difference', () => {
    const padded = { ...crm, sid: ' dtsshop ' }
    assert.throws(() => streamsOf({ crm: padded }, true, { ...shell, DTS_SID: 'dtsshop\t' }), {
      code: 'CONFIG_INVALID',
      message: /have the same sid dtsshop/,
    })
  })

  test('may have one Kafka group for several topics', () => {
    assert.equal(streamsOf({ erp: plain, more: { ...plain, topic: 'more' } }, true, shell).length, 3)
  })

  test('has a fault if a file of variables gives its sid to another stage', () => {
    const streams = streamsOf({ crm }, true, shell)
    for (const text of [
      'DTS_SID=dtscrm',
      'A=1\n  export DTS_SID = "dtscrm" # group\n',
      "DTS_SID='dtscrm'\r\n",
      'CRM_SID=dtscrm\n',
    ]) {
      const [fault = '', ...others] = sidsOfOtherStages(streams, [{ name: '.env.dev', text }])
      assert.deepEqual(others, [])
      assert.match(
        fault,
        /^custom\.sources\.crm has the sid dtscrm, and \.env\.dev gives it to another stage/,
      )
    }
    const harmless = '#DTS_SID=dtscrm\nDTS_SID=dtscrm2\nDTS_SID=\ndtscrm\n'
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
    // A command that does not know the sources accepts them too.
    assert.equal((await findTables(folder, null)).length, 4)
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
      ['"dynamodb:LeadingKeys":["shop/*"]', shop, own],
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

  test('are never matched by a pattern of another source, however many functions that one has', async () => {
    const { tables, settings } = await found()
    const letters = 'abcdefghijklmnopqrstuvwxyz0123456789'
    const [model] = tables
    assert.ok(model !== undefined)
    // So many names become patterns. Without the functions of crm, `pol*` and `cr*` would be among them.
    const keys = ['pol', 'cr'].flatMap((begin) =>
      [...letters].flatMap((one) => [...letters].map((other) => `${begin}${one}${other}`)),
    )
    const many = keys.map((key) => ({ ...model, key, source: '', file: `functions/tables/${key}.ts` }))
    const role = JSON.stringify(rolesOf([...many, ...tables], settings).PollerRole)
    const patterns = [...role.matchAll(/:function:shop-prod-([^"]*)"/g)].map((match) => match[1] ?? '')
    const matches = (pattern: string, name: string) =>
      pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern
    for (const name of ['polaa', 'crzz', 'orders'])
      assert.ok(
        patterns.some((one) => matches(one, name)),
        name,
      )
    for (const name of ['poller', 'poller-crm', 'crm-orders', 'crm-eu-people'])
      assert.ok(!patterns.some((one) => matches(one, name)), name)
  })

  test('that would have the name of a source’s poller are refused', async () => {
    write('poller-crm.ts', 'shop.pollers')
    const message =
      /functions\/tables\/poller-crm\.ts: the name "poller-crm" is taken by the poller of a stream/
    await assert.rejects(found(), { code: 'CONFIG_INVALID', message })
    rmSync(join(folder, 'poller-crm.ts'))
  })
})

test('a stream may read its own password only, and use the key of the password only through the service that stores it', () => {
  const key = 'arn:aws:kms:eu-central-1:111122223333:key/1'
  const arn = 'arn:aws:ssm:eu-central-1:444455556666:parameter/p/hr'
  const sources = {
    crm: { ...crm, secret: undefined, parameter: '/p/crm' },
    hr: { ...crm, sid: 'dtshr', secret: undefined, parameter: arn },
    erp: plain,
  }
  const streams = streamsOf(sources, true, shell)
  const settings = { ...unused, prefix: 'shop-prod-', streams, account: { passwordKey: key } }
  const roles = rolesOf([], settings) as Record<string, Resource>
  const here = (service: string, resource: string) => ({
    'Fn::Sub': `arn:\${AWS::Partition}:${service}:\${AWS::Region}:\${AWS::AccountId}:${resource}`,
  })
  const via = (service: string) => ({
    StringLike: { 'kms:ViaService': [{ 'Fn::Sub': `${service}.\${AWS::Region}.*` }] },
  })
  const secret = ['secretsmanager:GetSecretValue', here('secretsmanager', 'secret:p/shop-??????')]
  for (const [stream, expected] of [
    ['', [secret, ['kms:Decrypt', key, via('secretsmanager')]]],
    [
      'Dashcrm',
      [
        ['ssm:GetParameter', here('ssm', 'parameter/p/crm')],
        ['kms:Decrypt', key, via('ssm')],
      ],
    ],
    [
      'Dashhr',
      [
        ['ssm:GetParameter', arn],
        ['kms:Decrypt', key, via('ssm')],
      ],
    ],
    ['Dasherp', []],
  ] as const) {
    for (const role of [roles[`Poller${stream}Role`], roles[`Recovery${stream}Role`]]) {
      assert.ok(role)
      const { Policies } = role.Properties as { Policies: { PolicyDocument: { Statement: Statement[] } }[] }
      const found = Policies[0]?.PolicyDocument.Statement.map(({ Action, Resource, Condition }) =>
        Condition === undefined ? [...Action, Resource] : [...Action, Resource, Condition],
      ).filter(([action]) => /^(secretsmanager|ssm|kms):/.test(String(action)))
      assert.deepEqual(found, expected)
    }
  }
})

test('alarms and dashboard of a named source watch its own poller and queue, under names of their own', () => {
  const common = {
    prefix: 'shop-prod-',
    stream: { source: 'crm', partitions: null },
    deadLetterQueue: 'shop-prod-crm-dead-letters.fifo',
  }
  const alarms = alarmsOf({ ...common, thresholds: {}, topicArn: '', email: '' })
  assert.equal(Object.keys(alarms).length, 10)
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

describe('a topic with several partitions', () => {
  const erp = { ...plain, partitions: 12 }
  const settings = { prefix: 'shop-prod-', deadLetterQueue: 'q', thresholds: {}, topicArn: '', email: '' }
  const [stream] = streamsOf({ erp }, false, {})
  assert.ok(stream !== undefined)

  test('without a name comes from DTS_PARTITIONS, for a plain topic only', () => {
    const kafka = { DTS_BROKER_URL: 'k:1', DTS_TOPIC: 't', DTS_GROUP: 'g' }
    const [unnamed] = streamsOf({}, true, { ...kafka, DTS_PARTITIONS: '3' })
    assert.deepEqual(unnamed, { source: '', variables: kafka, partitions: 3 })
    for (const [variables, message] of [
      [{ ...kafka, DTS_PARTITIONS: 'x' }, /DTS_PARTITIONS must be a whole number from 2 to 16, not "x"/],
      [{ ...kafka, DTS_PARTITIONS: '1' }, /from 2 to 16, not "1"/],
      [{ ...shell, DTS_PARTITIONS: '3' }, /together with DTS_SID: a DTS task has one partition/],
      [{ ...kafka, DTS_PARTITION: '1', DTS_PARTITIONS: '3' }, /together with DTS_PARTITION: keep one/],
    ] as const) {
      assert.throws(() => streamsOf({}, true, variables), { code: 'CONFIG_INVALID', message })
    }
  })

  test('gets a poller for each, and one recovery', () => {
    const known: Settings = { ...unused, prefix: 'shop-prod-', streams: [stream] }
    const functions = streamFunctions({ A: '1' }, stream, known)
    assert.deepEqual(Object.keys(functions), [
      ...Array.from({ length: 12 }, (_, partition) => `poller-erp-${partition}`),
      'recovery-erp',
    ])
    const eleventh = JSON.stringify(functions['poller-erp-11'])
    assert.match(eleventh, /"name":"shop-prod-poller-erp-11".*"environment":\{"A":"1","DTS_PARTITION":"11"\}/)
    assert.match(eleventh, /PollerDasherpDash11Role/)
    const roles = rolesOf([], known)
    const role = JSON.stringify(roles.PollerDasherpDash11Role)
    assert.ok(role.includes('/aws/lambda/shop-prod-poller-erp-11:*'), role)
    assert.ok(JSON.stringify(roles.PollerScheduleExecution).includes('function:shop-prod-poller-erp-11"'))
  })

  test('has alarms for five pollers each, which go off for the worst of them', () => {
    const alarms = alarmsOf({ ...settings, stream })
    const ids = Object.keys(alarms).filter((id) => id.startsWith('HaltedAlarm'))
    assert.deepEqual(ids, [
      'HaltedAlarmErp',
      'HaltedAlarmErpPartitionsFrom5',
      'HaltedAlarmErpPartitionsFrom10',
    ])
    assert.equal(Object.keys(alarms).length, 9 * 3 + 1)
    const last = alarms.HaltedAlarmErpPartitionsFrom10 as Resource
    assert.equal(last.Properties?.AlarmName, 'shop-prod-erp-halted-from-10')
    const { Metrics } = last.Properties as { Metrics: { Expression?: string }[] }
    assert.equal(Metrics.at(-1)?.Expression, 'MAX([m0, m1])')
    for (const poller of ['shop-prod-poller-erp-10', 'shop-prod-poller-erp-11'])
      assert.ok(JSON.stringify(Metrics).includes(`"Value":"${poller}"`))
    const expressionOf = (id: string) =>
      JSON.stringify(alarms[id]).match(/"Id":"worst","Expression":"([^"]*)"/)?.[1]
    assert.equal(
      expressionOf('PollerNotRunningAlarmErp'),
      'MIN([FILL(m0, 0), FILL(m1, 0), FILL(m2, 0), FILL(m3, 0), FILL(m4, 0)])',
    )
    assert.equal(expressionOf('LossAlarmErp'), 'MAX([near0, near1, near2, near3, near4])')
    assert.deepEqual(limitProblems({ Resources: alarms as Template['Resources'] }, 0), [])
  })

  test('has a dashboard with one line for all pollers, within the limits of CloudWatch', () => {
    const sixteen = { ...stream, partitions: 16 }
    const Dashboard = dashboardOf({ ...settings, stream: sixteen, tables: ['erp-orders'] }) as Resource
    assert.deepEqual(limitProblems({ Resources: { Dashboard } }, 0), [])
    const text = JSON.stringify(Dashboard)
    const graph = /MAX\(\[a0,a1,a2,a3,a4,a5,a6,a7,a8,a9,a10,a11,a12,a13,a14,a15\]\)/
    assert.match(text, graph)
    const long = { ...settings, prefix: `${'shop'.repeat(10)}-prod-` }
    const tooLong = dashboardOf({ ...long, stream: sixteen, tables: [] }) as Resource
    assert.match(
      limitProblems({ Resources: { Dashboard: tooLong } }, 0)[0] ?? '',
      /A search of Dashboard has 1\d{3} characters/,
    )
  })
})
