import assert from 'node:assert/strict'
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { after, before, beforeEach, describe, test } from 'node:test'
import { alarmsOf, alarmTopic } from '../../infra/alarms.ts'
import { artefactOf } from '../../infra/artefact.ts'
import { streamEnvironment } from '../../infra/environment.ts'
import { rolesOf } from '../../infra/roles.ts'
import { streamsOf } from '../../infra/sources.ts'
import { streamFunctions } from '../../infra/stream-functions.ts'
import { findTables, type Settings, tableFunctions } from '../../infra/tables.ts'
import { readArtefact } from '../../lib/dispatch/artefact.ts'
import { defaultDelivery } from '../../lib/dispatch/settings.ts'
import { copyService, type ServiceCopy } from '../support/service-copy.ts'

const settings: Settings = {
  prefix: 'shop-dev-',
  flags: '',
  service: 'shop',
  stage: 'dev',
  checkpointTable: 'c',
  streams: [{ source: '', variables: {}, partitions: null }],
  tables: {},
  stream: {},
  account: {},
}

let service: ServiceCopy
let folder: string
let round = 0

before(() => {
  service = copyService()
})
after(() => service.remove())
beforeEach(() => {
  // Node loads a module once per path, so every test gets its own paths.
  folder = join(service.folder, 'functions', `tables${++round}`)
  mkdirSync(folder)
})

function write(name: string, text: string): void {
  mkdirSync(dirname(join(folder, name)), { recursive: true })
  writeFileSync(join(folder, name), text)
}

function handlerFor(table: string | readonly string[]): string {
  return `import * as z from 'zod'
import { defineTable } from '${join(service.folder, 'lib/handler/define-table.ts')}'
export const handler = defineTable({ table: ${JSON.stringify(table)}, row: z.object({ id: z.bigint() }), onChange() {} })
`
}

describe('files in functions/tables', () => {
  test('become functions and routes, in the order of their names', async () => {
    write('orders.ts', handlerFor('shop.orders'))
    write('archive-2.ts', handlerFor('shop_*.archive_*'))
    write('README.md', 'not a handler')
    const tables = await findTables(folder)
    const routes = readArtefact(artefactOf(tables), '', 'shop-dev-')
    assert.deepEqual(
      Object.entries(routes).map(([pattern, { functionName }]) => [pattern, functionName]),
      [
        ['shop_*.archive_*', 'shop-dev-archive-2'],
        ['shop.orders', 'shop-dev-orders'],
      ],
    )
    const functions = tableFunctions(tables, settings)
    assert.deepEqual(Object.keys(functions), ['archive-2', 'orders'])
    assert.equal(property(functions.orders, 'name'), 'shop-dev-orders')
    assert.equal(property(functions.orders, 'handler'), 'functions/tables/orders.handler')
  })

  test('in folders get the folder’s name as a prefix', async () => {
    write('orders.ts', handlerFor('shop.orders'))
    write('billing/invoices.ts', handlerFor('billing.invoices'))
    write('billing/eu/payments.ts', handlerFor('eu.payments'))
    write('billing/README.md', 'not a handler')
    write('billing/types.d.ts', 'export type A = 1')
    const tables = await findTables(folder)
    const functions = tableFunctions(tables, settings)
    assert.deepEqual(
      Object.entries(functions).map(([key, one]) => [key, property(one, 'name'), property(one, 'handler')]),
      [
        [
          'billing-eu-payments',
          'shop-dev-billing-eu-payments',
          'functions/tables/billing/eu/payments.handler',
        ],
        ['billing-invoices', 'shop-dev-billing-invoices', 'functions/tables/billing/invoices.handler'],
        ['orders', 'shop-dev-orders', 'functions/tables/orders.handler'],
      ],
    )
  })

  for (const name of [
    'a.mts',
    'a.js',
    'a.mjs',
    'a.cjs',
    'a.cts',
    'a.tsx',
    'a.jsx',
    'a.TS',
    'a.Mjs',
    'b/a.js',
  ]) {
    test(`named ${name} are refused, because nothing would deploy them`, async () => {
      write('orders.ts', handlerFor('shop.orders'))
      write(name, handlerFor('shop.a'))
      const message = new RegExp(`functions/tables/${name} would not be deployed: .*Rename it to "a\\.ts"`)
      await assert.rejects(findTables(folder), { code: 'CONFIG_INVALID', message })
    })
  }

  test('that are links are deployed as their targets, and a link to a folder is refused', async () => {
    write('orders.ts', handlerFor('shop.orders'))
    symlinkSync(join(folder, 'orders.ts'), join(folder, 'linked.ts'))
    await assert.rejects(findTables(folder), {
      code: 'CONFIG_INVALID',
      message: /linked\.ts and .*orders\.ts both handle/,
    })
    rmSync(join(folder, 'linked.ts'))
    mkdirSync(join(folder, '..', `elsewhere${round}`))
    symlinkSync(join(folder, '..', `elsewhere${round}`), join(folder, 'billing'))
    const message = /functions\/tables\/billing is a link to a folder/
    await assert.rejects(findTables(folder), { code: 'CONFIG_INVALID', message })
  })

  test('get different names in the template, even if serverless would normalize them to one', async () => {
    const keys = [
      'a-b',
      'aDashb',
      'c_d',
      'cUnderscored',
      'e-f',
      'eDash_f',
      'e-_f',
      'e_-f',
      'eDashf',
      'orderDashboard',
    ]
    for (const key of keys) write(`${key}.ts`, handlerFor(`shop.${key}`))
    const tables = await findTables(folder)
    const functions = tableFunctions(tables, settings)
    assert.deepEqual(
      Object.values(functions)
        .map((one) => property(one, 'name'))
        .sort(),
      keys.map((key) => `shop-dev-${key}`).sort(),
    )
    // As serverless normalizes a key for the template.
    const ids = Object.keys(functions).map((key) => key.replaceAll('-', 'Dash').replaceAll('_', 'Underscore'))
    assert.equal(new Set(ids.map((id) => id.charAt(0).toUpperCase() + id.slice(1))).size, keys.length)
    assert.equal(Object.keys(rolesOf(tables, settings)).length, keys.length + 3)
    for (const key of ['a-b', 'c_d', 'e-f']) assert.ok(key in functions)
  })

  test('get a description of the tables that they handle and exclude', async () => {
    write('orders.ts', handlerFor(['shop.orders_*', 'shop.lines', '!shop.orders_tmp']))
    const tables = await findTables(folder)
    const route = { ...defaultDelivery, except: ['shop.orders_tmp'], functionName: 'orders' }
    assert.deepEqual(readArtefact(artefactOf(tables), '', ''), {
      'shop.orders_*': route,
      'shop.lines': route,
    })
    const description = property(tableFunctions(tables, settings).orders, 'description')
    assert.equal(description, 'Handles changes of shop.orders_*, shop.lines, !shop.orders_tmp')
  })

  const pairs = [
    ['shop.*', 'shop.orders_*', null],
    ['shop.*', '*', null],
    ['shop.*', 'shop.orders', null],
    ['shop.a*', 'shop.b*', null],
    ['shop.*', 'shop.public.*', null],
    ['shop.*', '*.items', '!shop.items'],
    ['shop_*.orders', 'shop_1*.*', '!shop_1*.orders'],
    ['shop.*_a*', 'shop.*a_*', '!shop.*a_*'],
  ] as const
  for (const [one, other, cure] of pairs) {
    test(`for ${one} and ${other} are ${cure === null ? 'accepted, because one is within the other or they never overlap' : 'refused until one of them excludes the tables of both'}`, async () => {
      write('one.ts', handlerFor(one))
      write('other.ts', handlerFor(other))
      if (cure === null) {
        assert.equal((await findTables(folder)).length, 2)
        return
      }
      const message =
        /"shop.* of functions\/tables\/one\.ts and .* of functions\/tables\/other\.ts can match the same table/
      await assert.rejects(findTables(folder), { code: 'CONFIG_INVALID', message })
      folder = join(service.folder, 'functions', `tables${++round}`)
      write('one.ts', handlerFor([one, cure]))
      write('other.ts', handlerFor(other))
      assert.equal((await findTables(folder)).length, 2)
    })
  }

  const refused = [
    [
      'shards.ts',
      '["shop.orders_*", "!shop.items"]',
      /shards\.ts cannot be loaded .*!shop\.items leaves out what none of the handler's patterns match/,
    ],
    ['all.ts', '["shop.orders_1", "!shop.orders_*"]', /!shop\.orders_\* leaves out all of shop\.orders_1/],
    ['none.ts', '["!shop.orders_1"]', /table must be database\.table/],
    ['empty.ts', '[]', /table must be database\.table/],
    ['star.ts', '["shop.a", "!*"]', /table must be .* not "!\*"/],
    ['long.ts', '"a.b.c.d"', /table must be .* not "a\.b\.c\.d"/],
  ] as const
  for (const [name, table, message] of refused) {
    test(`are refused if the tables are ${table}`, async () => {
      write(name, handlerFor('TABLE').replace('"TABLE"', table))
      await assert.rejects(findTables(folder), { code: 'CONFIG_INVALID', message })
    })
  }

  const refusedBeside = [
    ['two.ts', 'shop.orders', /orders\.ts and functions\/tables\/two\.ts both handle .*shop\.orders/],
    ['Items.ts', 'shop.items', /functions\/tables\/Items\.ts: "Items" cannot be a function's name/],
    ['empty.ts', 'export const other = 1', /functions\/tables\/empty\.ts exports no table handler/],
    [
      'plain.ts',
      'export const handler = async () => {}',
      /functions\/tables\/plain\.ts exports no table handler/,
    ],
    ['order lines.ts', 'shop.lines', /functions\/tables\/order lines\.ts: .*cannot be a function's name/],
    ['1st.ts', 'shop.first', /functions\/tables\/1st\.ts: "1st" cannot be a function's name/],
    ['poller.ts', 'shop.pollers', /functions\/tables\/poller\.ts: the name "poller" is taken/],
    [
      'broken.ts',
      "throw new Error('no SHOP_URL')",
      /functions\/tables\/broken\.ts cannot be loaded .*no SHOP_URL/,
    ],
    ['bad.ts', 'shop', /functions\/tables\/bad\.ts cannot be loaded .*database\.table/],
    ['billing/lines.ts', 'shop.orders', /billing\/lines\.ts and functions\/tables\/orders\.ts both handle/],
    ['Billing/lines.ts', 'shop.lines', /"Billing-lines" cannot be a function's name/],
  ] as const
  for (const [name, table, message] of refusedBeside) {
    test(`named ${name} are refused beside orders.ts: ${message.source.slice(0, 60)}`, async () => {
      const text = /^shop\S*$/.test(table) ? handlerFor(table) : table
      write('orders.ts', handlerFor('shop.orders'))
      assert.equal((await findTables(folder)).length, 1)
      write(name, text)
      await assert.rejects(findTables(folder), { code: 'CONFIG_INVALID', message })
    })
  }

  test('are refused if their filter cannot be parsed, with file and line and without advice about variables', async () => {
    write(
      'orders.ts',
      handlerFor('shop.orders').replace('onChange', "filter: { where: 'status = ' },\n  onChange"),
    )
    await assert.rejects(findTables(folder), (error: Error) => {
      assert.match(
        error.message,
        /^functions\/tables\/orders\.ts cannot be loaded to read its table \(line 3\): .*filter\.where/,
      )
      assert.doesNotMatch(error.message, /environment/)
      return true
    })
  })

  test('carry their filter to the routes of the poller', async () => {
    const filter = { changed: ['status'], where: "status = 'paid'" }
    write(
      'orders.ts',
      handlerFor('shop.orders').replace('onChange', `filter: ${JSON.stringify(filter)}, onChange`),
    )
    const route = readArtefact(artefactOf(await findTables(folder)), '', '')['shop.orders']
    assert.deepEqual(route, { ...defaultDelivery, filter, functionName: 'orders' })
  })

  const loading: [string, RegExp, boolean, string][] = [
    [
      'const url = process.env.SHOP_URL.trim()',
      /\(line 1\): Cannot read properties/,
      true,
      'a missing variable',
    ],
    ['process.title\nexport const handler = [1, 2', /\(line [23]\): /, false, 'a syntax error'],
    ["import './nowhere.ts'\nprocess.title", /nowhere\.ts/, false, 'a module that does not exist'],
    [
      '\nexport const handler = defineTabel({})',
      /\(line 2\): defineTabel is not defined/,
      false,
      'a misspelt name',
    ],
    [handlerFor('shop'), /database\.table/, false, 'a wrong definition'],
  ]
  for (const [text, message, isHinted, reason] of loading) {
    test(`name the line and ${isHinted ? 'the' : 'no'} missing environment when loading fails: ${reason}`, async () => {
      write('broken.ts', text)
      await assert.rejects(findTables(folder), (error: Error) => {
        assert.match(error.message, message)
        assert.equal(/environment of its deployed function/.test(error.message), isHinted)
        return true
      })
    })
  }

  test('are refused if the name of the deployed function is too long', async () => {
    write('orders.ts', handlerFor('shop.orders'))
    const long = { ...settings, prefix: `${'service'.repeat(8)}-dev-` }
    const tables = await findTables(folder)
    assert.throws(() => tableFunctions(tables, long), {
      code: 'CONFIG_INVALID',
      message: /functions\/tables\/orders\.ts would be named .*67 characters/,
    })
  })

  test('with onTransaction are refused for a topic with several partitions, and for no other', async () => {
    write('orders.ts', handlerFor('shop.orders').replace('onChange() {}', 'onTransaction() {}'))
    write('erp/parts.ts', handlerFor('erp.parts'))
    const tables = await findTables(folder, ['erp'])
    const unnamed = (partitions: number | null) => [
      { source: '', variables: {}, partitions },
      { source: 'erp', variables: {}, partitions: 4 },
    ]
    for (const partitions of [null, 1])
      assert.ok('orders' in tableFunctions(tables, { ...settings, streams: unnamed(partitions) }))
    assert.throws(() => tableFunctions(tables, { ...settings, streams: unnamed(2) }), {
      code: 'CONFIG_INVALID',
      message:
        /functions\/tables\d*\/orders\.ts has onTransaction, and its topic has 2 partitions.*use onBatch/,
    })
    write('erp/lots.ts', handlerFor('erp.lots').replace('onChange() {}', 'onTransaction() {}'))
    const more = await findTables(folder, ['erp'])
    assert.throws(() => tableFunctions(more, { ...settings, streams: unnamed(1) }), {
      message: /erp\/lots\.ts has onTransaction, and its topic has 4 partitions/,
    })
  })

  test('that would become one function are refused with both names', async () => {
    write('billing-lines.ts', handlerFor('shop.lines'))
    write('billing/lines.ts', handlerFor('shop.more'))
    await assert.rejects(findTables(folder), {
      code: 'CONFIG_INVALID',
      message: /billing-lines\.ts.*billing\/lines\.ts|billing\/lines\.ts.*billing-lines\.ts/,
    })
  })
})

describe('custom.tables', () => {
  const tables = [
    {
      key: 'orders',
      source: '',
      file: 'functions/tables/orders.ts',
      tables: { patterns: ['shop.orders'], except: [] },
      delivery: defaultDelivery,
    },
  ]

  test("sets a function's own timeout and adds statements only to its role", () => {
    const statement = { Effect: 'Allow', Action: 'sqs:ListQueues', Resource: '*' }
    const own = { ...settings, tables: { orders: { timeout: 60, statements: [statement] } } }
    const functions = tableFunctions(tables, own)
    assert.equal(property(functions.orders, 'timeout'), 60)
    assert.equal(property(functions.orders, 'statements'), undefined)
    const roles = rolesOf(tables, own)
    assert.ok(JSON.stringify(roles.OrdersRole).includes('sqs:ListQueues'))
    assert.ok(!JSON.stringify(roles.PollerRole).includes('sqs:ListQueues'))
  })

  const refused = [
    [{ order: {} }, /names "order", but there is no functions\/tables\/order\.ts\. Known: orders/],
    [{ orders: { timeout: 1_000 } }, /custom\.tables in serverless\.yml is invalid[\s\S]*timeout/],
  ] as const
  for (const [value, message] of refused) {
    test(`${JSON.stringify(value)} is refused`, () => {
      assert.throws(() => tableFunctions(tables, { ...settings, tables: value }), {
        code: 'CONFIG_INVALID',
        message,
      })
    })
  }
})

describe('custom.stream', () => {
  test('replaces settings of poller and recovery, and leaves their other settings', () => {
    const stream = { poller: { timeout: 180 }, recovery: { memorySize: 1024 } }
    const { poller, recovery } = streamFunctions(
      { A: '1' },
      { source: '', partitions: null },
      { ...settings, stream },
    )
    const [timeout, concurrency] = ['timeout', 'reservedConcurrency'].map((name) => property(poller, name))
    assert.deepEqual([timeout, concurrency], [180, 1])
    assert.deepEqual([property(recovery, 'timeout'), property(recovery, 'memorySize')], [300, 1024])
    assert.deepEqual(property(recovery, 'environment'), { A: '1' })
  })

  test('POLL_HANDOVER, from the shell or of the poller alone, allows two runs at once and gives them more time', () => {
    const stream = { poller: { environment: { POLL_HANDOVER: 'true' } } }
    for (const { poller } of [
      streamFunctions({ POLL_HANDOVER: 'true' }, { source: '', partitions: null }, settings),
      streamFunctions({}, { source: '', partitions: null }, { ...settings, stream }),
    ])
      assert.deepEqual([property(poller, 'timeout'), property(poller, 'reservedConcurrency')], [240, 2])
    const reserved = { ...settings, account: { reserveConcurrency: false } }
    const { poller } = streamFunctions({ POLL_HANDOVER: 'true' }, { source: '', partitions: null }, reserved)
    assert.equal(property(poller, 'reservedConcurrency'), undefined)
  })

  test('adds variables to those of the service, and refuses settings that the service refers to', () => {
    const given = { ...settings, stream: { poller: { environment: { EXTRA: 'x' } } } }
    const { poller } = streamFunctions({ CHECKPOINT_TABLE: 'c' }, { source: '', partitions: null }, given)
    assert.deepEqual(property(poller, 'environment'), { CHECKPOINT_TABLE: 'c', EXTRA: 'x' })
    for (const name of ['name', 'handler', 'role', 'events']) {
      const wrong = { ...settings, stream: { recovery: { [name]: 'x' } } }
      assert.throws(() => streamFunctions({}, { source: '', partitions: null }, wrong), {
        code: 'CONFIG_INVALID',
        message: new RegExp(`${name} cannot be replaced`),
      })
    }
  })

  test('refuses variables that describe the stream, because its rights would not follow', () => {
    const wrong = { ...settings, stream: { recovery: { environment: { DTS_TOPIC: 'x', A: 'y' } } } }
    assert.throws(() => streamFunctions({}, { source: '', partitions: null }, wrong), {
      code: 'CONFIG_INVALID',
      message: /custom\.stream\.recovery\.environment\.DTS_TOPIC: DTS_TOPIC describes the stream/,
    })
  })

  test('refuses the name of another function', () => {
    assert.throws(
      () => streamFunctions({}, { source: '', partitions: null }, { ...settings, stream: { polller: {} } }),
      {
        code: 'CONFIG_INVALID',
        message: /custom\.stream in serverless\.yml is invalid/,
      },
    )
  })
})

describe('custom.alarms', () => {
  const settings = {
    prefix: 'shop-dev-',
    stream: { source: '', partitions: null },
    deadLetterQueue: 'q.fifo',
    topicArn: '',
    email: '',
  }

  test('sets the threshold of one alarm and leaves the others', () => {
    const alarms = JSON.stringify(alarmsOf({ ...settings, thresholds: { lagSeconds: 77 } }))
    assert.ok(alarms.includes('"Threshold":77'))
    assert.ok(alarms.includes('IF(lag > 77 AND reserve < 21600, 1, 0)'))
  })

  test('uses an existing topic unchanged', () => {
    const topicArn = 'arn:aws:sns:eu-west-1:111122223333:night'
    const { HaltedAlarm } = alarmsOf({ ...settings, thresholds: {}, topicArn })
    assert.deepEqual(alarmTopic(''), {})
    assert.deepEqual(property(property(HaltedAlarm, 'Properties'), 'AlarmActions'), [topicArn])
  })

  test('invalid thresholds are refused', () => {
    for (const wrong of [null, { lagSeconds: 0 }, { lag: 5 }]) {
      assert.throws(() => alarmsOf({ ...settings, thresholds: wrong }), {
        code: 'CONFIG_INVALID',
        message: /custom\.alarms in serverless\.yml is invalid/,
      })
    }
  })
})

describe('a handler that hashes', () => {
  const shell = { MASK_KEY_SECRET: 'shop/masks' }
  const masking = () =>
    handlerFor('shop.orders')
      .replace('z.bigint()', 'z.string()')
      .replace('onChange', "mask: { id: 'hash' }, onChange")

  test('is refused with its file if no key is configured, and one that only drops is not', async () => {
    write('orders.ts', masking())
    const [stream] = streamsOf({}, true, {})
    assert.ok(stream)
    const tables = await findTables(folder)
    assert.throws(() => streamEnvironment({}, stream, tables, settings), {
      code: 'CONFIG_INVALID',
      message:
        /^functions\/tables\/orders\.ts masks columns with hash.*openssl rand -hex 32.*MASK_KEY_SECRET/,
    })
    write('drops.ts', handlerFor('shop.items').replace('onChange', "mask: { phone: 'drop' }, onChange"))
    const dropping = (await findTables(folder)).filter(({ key }) => key === 'drops')
    streamEnvironment({}, stream, dropping, settings)
  })

  test('gets its key by the name of a secret, which only poller and recovery of each source may read', async () => {
    write('orders.ts', masking())
    const tables = await findTables(folder)
    const crm = { address: 'broker:1', topic: 'crm', group: 'crm' }
    const streams = streamsOf({ crm }, true, shell)
    for (const stream of streams) {
      const variables = streamEnvironment(shell, stream, tables, settings)
      assert.equal(variables.MASK_KEY_SECRET, 'shop/masks')
    }
    const roles = rolesOf(tables, { ...settings, streams })
    const readers = Object.entries(roles).flatMap(([id, role]) =>
      JSON.stringify(role).includes('secret:shop/masks-??????') ? [id] : [],
    )
    const names = ['PollerRole', 'RecoveryRole', 'PollerDashcrmRole', 'RecoveryDashcrmRole']
    assert.deepEqual(readers.sort(), names.sort())
  })

  test('gets its key by the name of an SSM parameter instead', async () => {
    write('orders.ts', masking())
    const tables = await findTables(folder)
    const variables = { MASK_KEY_PARAMETER: '/shop/masks' }
    const streams = streamsOf({ crm: { address: 'broker:1', topic: 'crm', group: 'crm' } }, true, variables)
    for (const stream of streams)
      assert.equal(streamEnvironment({}, stream, tables, settings).MASK_KEY_PARAMETER, '/shop/masks')
    const role = JSON.stringify(rolesOf(tables, { ...settings, streams }).PollerDashcrmRole)
    assert.match(role, /"ssm:GetParameter"\],"Resource":\{"Fn::Sub":"arn:[^"]*:parameter\/shop\/masks"/)
  })
})

test('the right to read a secret that is given by ARN covers only that ARN', () => {
  const secret = 'arn:aws:secretsmanager:eu-west-1:111122223333:secret:shop/dts-AbCdEf'
  const role = JSON.stringify(
    rolesOf([], {
      ...settings,
      streams: [{ source: '', variables: { DTS_PASSWORD_SECRET: secret }, partitions: null }],
    }).PollerRole,
  )
  assert.ok(role.includes(`"Action":["secretsmanager:GetSecretValue"],"Resource":"${secret}"`))
})

function property(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined
}
