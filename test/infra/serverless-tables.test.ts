import assert from 'node:assert/strict'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, beforeEach, describe, test } from 'node:test'
import { alarmsOf } from '../../infra/alarms.ts'
import { rolesOf } from '../../infra/roles.ts'
import { findTables, routesJson, type Settings, tableFunctions } from '../../infra/tables.ts'
import { defaultDelivery } from '../../lib/dispatch/settings.ts'
import { copyService, type ServiceCopy } from './serverless-copy.ts'

const settings: Settings = {
  prefix: 'shop-dev-',
  flags: '',
  service: 'shop',
  stage: 'dev',
  checkpointTable: 'c',
  secret: '',
  tables: {},
}

let service: ServiceCopy
let folder: string
let round = 0

before(() => {
  service = copyService()
})
after(() => service.remove())
beforeEach(() => {
  // Node loads a module once for each path: every test gets paths of its own.
  folder = join(service.folder, 'functions', `tables${++round}`)
  mkdirSync(folder)
})

function write(name: string, text: string): void {
  writeFileSync(join(folder, name), text)
}

function handlerFor(table: string): string {
  return `import { z } from 'zod'
import { defineTable } from '../../lib/table.ts'
export const handler = defineTable({ table: '${table}', row: z.object({ id: z.bigint() }), onChange() {} })
`
}

describe('files in functions/tables', () => {
  test('become functions and routes, in the order of their names', async () => {
    write('orders.ts', handlerFor('shop.orders'))
    write('archive-2.ts', handlerFor('shop_*.archive_*'))
    write('README.md', 'not a handler')
    const tables = await findTables(folder)
    assert.equal(routesJson(tables), '{"shop_*.archive_*":"archive-2","shop.orders":"orders"}')
    const functions = tableFunctions(tables, settings)
    assert.deepEqual(Object.keys(functions), ['archive-2', 'orders'])
    assert.equal(property(functions.orders, 'name'), 'shop-dev-orders')
    assert.equal(property(functions.orders, 'handler'), 'functions/tables/orders.handler')
  })

  const refused = [
    [
      'two.ts',
      handlerFor('shop.orders'),
      /orders\.ts and functions\/tables\/two\.ts both handle .*shop\.orders/,
    ],
    [
      'Items.ts',
      handlerFor('shop.items'),
      /functions\/tables\/Items\.ts: "Items" cannot be a function's name/,
    ],
    ['empty.ts', 'export const other = 1', /functions\/tables\/empty\.ts exports no table handler/],
    [
      'plain.ts',
      'export const handler = async () => {}',
      /functions\/tables\/plain\.ts exports no table handler/,
    ],
    [
      'order lines.ts',
      handlerFor('shop.lines'),
      /functions\/tables\/order lines\.ts: .*cannot be a function's name/,
    ],
    ['1st.ts', handlerFor('shop.first'), /functions\/tables\/1st\.ts: "1st" cannot be a function's name/],
    ['poller.ts', handlerFor('shop.pollers'), /functions\/tables\/poller\.ts: the name "poller" is taken/],
    [
      'broken.ts',
      "throw new Error('no SHOP_URL')",
      /functions\/tables\/broken\.ts cannot be loaded .*no SHOP_URL/,
    ],
    ['bad.ts', handlerFor('shop'), /functions\/tables\/bad\.ts cannot be loaded .*database\.table/],
  ] as const
  for (const [name, text, message] of refused) {
    test(`${name} beside orders.ts is refused: ${message.source.slice(0, 60)}`, async () => {
      write('orders.ts', handlerFor('shop.orders'))
      assert.equal((await findTables(folder)).length, 1)
      write(name, text)
      await assert.rejects(findTables(folder), { code: 'CONFIG_INVALID', message })
    })
  }

  test('are refused when their routes would not fit into the environment of a function', () => {
    const table = (index: number) => ({
      key: `orders_${index}`,
      file: `functions/tables/orders_${index}.ts`,
      pattern: `a_rather_long_database_name.orders_${index}`,
      delivery: defaultDelivery,
    })
    const tables = Array.from({ length: 100 }, (_, index) => table(index))
    assert.ok(Buffer.byteLength(routesJson(tables.slice(0, 40))) <= 3_000)
    assert.throws(() => routesJson(tables), {
      code: 'CONFIG_INVALID',
      message: /100 files in functions\/tables take \d+ bytes; at most 3000 fit/,
    })
  })

  test('are refused when the name of the deployed function would be too long', async () => {
    write('orders.ts', handlerFor('shop.orders'))
    const long = { ...settings, prefix: `${'service'.repeat(8)}-dev-` }
    const tables = await findTables(folder)
    assert.throws(() => tableFunctions(tables, long), {
      code: 'CONFIG_INVALID',
      message: /functions\/tables\/orders\.ts would be named .*67 characters/,
    })
  })

  test('stop serverless package with the message that names the file', async () => {
    const bad = join(service.folder, 'functions/tables/twice.ts')
    writeFileSync(bad, handlerFor('shop.orders'))
    const { code, output } = await service.serverless(['package'], {})
    rmSync(bad)
    assert.equal(code, 1)
    assert.match(output, /functions\/tables\/orders\.ts and functions\/tables\/twice\.ts both handle/)
  })
})

describe('custom.tables', () => {
  const tables = [
    { key: 'orders', file: 'functions/tables/orders.ts', pattern: 'shop.orders', delivery: defaultDelivery },
  ]

  test("sets a function's own timeout and adds statements to its role alone", () => {
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
    [{ orders: { timeout: 1_000 } }, /custom\.tables in serverless\.yml is not understood[\s\S]*timeout/],
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

describe('custom.alarms', () => {
  const settings = { prefix: 'shop-dev-', deadLetterQueue: 'q.fifo', topicArn: '', email: '' }
  const thresholds = { lagSeconds: 900, secondsUntilLoss: 21_600 }

  test('settles what an alarm goes off at', () => {
    const alarms = JSON.stringify(alarmsOf({ ...settings, thresholds: { ...thresholds, lagSeconds: 77 } }))
    assert.ok(alarms.includes('"Threshold":77'))
    assert.ok(alarms.includes('IF(lag > 77 AND reserve < 21600, 1, 0)'))
  })

  test('a topic of somebody else is told as it is', () => {
    const topicArn = 'arn:aws:sns:eu-west-1:111122223333:night'
    const { AlarmTopic, HaltedAlarm } = alarmsOf({ ...settings, thresholds, topicArn })
    assert.equal(AlarmTopic, undefined)
    assert.deepEqual(property(property(HaltedAlarm, 'Properties'), 'AlarmActions'), [topicArn])
  })

  test('what is not understood is refused', () => {
    for (const wrong of [{}, { ...thresholds, lagSeconds: 0 }, { ...thresholds, lag: 5 }]) {
      assert.throws(() => alarmsOf({ ...settings, thresholds: wrong }), {
        code: 'CONFIG_INVALID',
        message: /custom\.alarms in serverless\.yml is not understood/,
      })
    }
  })
})

test('a secret given by its ARN is the one resource of the right to read it', () => {
  const secret = 'arn:aws:secretsmanager:eu-west-1:111122223333:secret:shop/dts-AbCdEf'
  const role = JSON.stringify(rolesOf([], { ...settings, secret }).PollerRole)
  assert.ok(role.includes(`"Action":["secretsmanager:GetSecretValue"],"Resource":"${secret}"`))
})

function property(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined
}
