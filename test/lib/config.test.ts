import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { PollConfig } from '../../lib/config.ts'
import { defaultDelivery } from '../../lib/dispatch/settings.ts'
import { DtsError } from '../../lib/errors.ts'
import { testConfig } from '../support/test-config.ts'

const dts = {
  DTS_BROKER_URL: 'dts-cn-hangzhou.aliyuncs.com:18001',
  DTS_TOPIC: 'cn_hangzhou_vpc_shop',
  DTS_SID: 'dtsabc',
  DTS_USER: 'reader',
  DTS_PASSWORD: 'p',
  CHECKPOINT_TABLE: 'checkpoints',
  ROUTES: '{"shop.orders":"orders"}',
}

function problemsOf(environment: Record<string, string | undefined>): DtsError {
  try {
    testConfig(environment)
  } catch (error) {
    assert.ok(error instanceof DtsError, String(error))
    return error
  }
  throw new assert.AssertionError({ message: `accepted: ${JSON.stringify(environment)}` })
}

describe('the key of masks', () => {
  const ROUTES = '{"shop.orders":{"function":"orders","mask":{"email":"hash"}}}'

  test('is read from a secret, or for local use from MASK_KEY', () => {
    const { maskKey } = testConfig({ ...dts, ROUTES, MASK_KEY_SECRET: 'prod/masks' })
    assert.deepEqual(maskKey, { secretId: 'prod/masks' })
    const both = testConfig({ ...dts, ROUTES, MASK_KEY_SECRET: 'prod/masks', MASK_KEY: 'k' })
    assert.deepEqual(both.maskKey, { value: 'k' })
    assert.equal(testConfig(dts).maskKey, undefined)
  })

  test('is read from an SSM parameter instead, and not from both', () => {
    const MASK_KEY_PARAMETER = '/prod/masks'
    assert.deepEqual(testConfig({ ...dts, ROUTES, MASK_KEY_PARAMETER }).maskKey, { parameter: '/prod/masks' })
    assert.match(
      problemsOf({ ...dts, ROUTES, MASK_KEY_PARAMETER, MASK_KEY_SECRET: 'prod/masks' }).message,
      /MASK_KEY_SECRET and MASK_KEY_PARAMETER are set together: keep one/,
    )
    assert.match(
      problemsOf({ ...dts, ROUTES, MASK_KEY_PARAMETER: '/prod/masks:3' }).message,
      /MASK_KEY_PARAMETER must be the name of an SSM parameter/,
    )
  })

  test('is required as soon as a handler hashes, and not if it only drops', () => {
    assert.match(
      problemsOf({ ...dts, ROUTES }).message,
      /orders masks columns with hash, and both MASK_KEY_SECRET and MASK_KEY_PARAMETER are missing/,
    )
    testConfig({ ...dts, ROUTES: ROUTES.replace('hash', 'drop') })
  })
})

describe('the configuration is read', () => {
  const accepted: [variables: Record<string, string>, expected: Partial<PollConfig>, reason: string][] = [
    [
      {},
      { mode: 'dts', group: 'dtsabc', user: 'reader-dtsabc' },
      'with a sid, the sid is the group and completes the user name',
    ],
    [
      {},
      { broker: { host: 'dts-cn-hangzhou.aliyuncs.com', port: 18001 } },
      'a broker address is host and port',
    ],
    [
      { DTS_BROKER_URL: '[fd00::1]:9092' },
      { broker: { host: 'fd00::1', port: 9092 } },
      'a broker address may be IPv6 in brackets',
    ],
    [
      { DTS_BROKER_URL: ' 10.0.0.1:9092 ' },
      { broker: { host: '10.0.0.1', port: 9092 } },
      'blanks around a pasted broker address are dropped',
    ],
    [
      { DTS_SID: '', DTS_GROUP: 'readers' },
      { mode: 'kafka', group: 'readers', user: 'reader' },
      'without a sid, the user name is used as given',
    ],
    [{ DTS_GROUP: 'dtsabc' }, { mode: 'dts', group: 'dtsabc' }, 'DTS_GROUP may repeat the sid'],
    [
      { DTS_SID: '', DTS_GROUP: 'g', DTS_USER: '', DTS_PASSWORD: '' },
      { user: undefined, password: undefined },
      'a plain Kafka topic needs no user and no password',
    ],
    [{}, { password: { value: 'p' } }, 'a password may be given as a value'],
    [
      { DTS_PASSWORD: '', DTS_PASSWORD_SECRET: 'dts/reader' },
      { password: { secretId: 'dts/reader' } },
      'a password may be given as the name of a secret',
    ],
    [
      { DTS_PASSWORD: '', DTS_PASSWORD_PARAMETER: ' /prod/dts-reader\n' },
      { password: { parameter: '/prod/dts-reader' } },
      'a password may be given as the name of an SSM parameter',
    ],
    [
      { DTS_PASSWORD: '', DTS_PASSWORD_PARAMETER: 'arn:aws-cn:ssm:cn-north-1:111122223333:parameter/dts' },
      { password: { parameter: 'arn:aws-cn:ssm:cn-north-1:111122223333:parameter/dts' } },
      'a password may be given as the ARN of an SSM parameter',
    ],
    [{}, { startTime: undefined }, 'the start time may be missing'],
    [{ DTS_CHECKPOINT: '1795433580' }, { startTime: 1_795_433_580 }, 'a start time may be UNIX seconds'],
    [
      { DTS_CHECKPOINT: '1795433580999' },
      { startTime: 1_795_433_580 },
      'a start time may be UNIX milliseconds',
    ],
    [
      { DTS_CHECKPOINT: '2026-11-23T11:33:00Z' },
      { startTime: 1_795_433_580 },
      'a start time may be ISO 8601',
    ],
    [
      { DTS_CHECKPOINT: '2026-11-23T19:33:00.5+08:00' },
      { startTime: 1_795_433_580 },
      'a start time may have a fraction and a zone',
    ],
    [{ DTS_CHECKPOINT: '10000000000' }, { startTime: 10_000_000_000 }, 'a start time of 10^10 is seconds'],
    [
      { DTS_CHECKPOINT: '10000000001' },
      { startTime: 10_000_000 },
      'a start time above 10^10 is milliseconds',
    ],
    [{ DTS_TLS: 'true' }, { tls: true }, 'DTS_TLS=true turns TLS on'],
    [
      {},
      { tls: false, partition: undefined, allowedNodes: [] },
      'by default there is no TLS, no partition and no list of nodes',
    ],
    [
      {},
      { unroutedTables: 'skip', handlerTimeoutMs: 30_000, maxRecords: 100_000, lingerMs: 0 },
      'by default a run skips unrouted tables and reads up to 100,000 records',
    ],
    [
      { POLL_HANDOVER: 'true' },
      {
        handOver: true,
        maxRecords: 100_000_000,
        maxBytes: 64 * 1024 * 1024 * 1024,
        lingerMs: 120_000,
      },
      'a run that hands over lasts until the next one asks',
    ],
    [
      { POLL_HANDOVER: 'true', POLL_MAX_RECORDS: '5', POLL_MAX_BYTES: '2048', POLL_LINGER_SECONDS: '90' },
      { maxRecords: 5, maxBytes: 2_048, lingerMs: 90_000 },
      'a run that hands over keeps the bounds that are set',
    ],
    [
      { POLL_HANDOVER: 'false' },
      { handOver: false, maxBytes: 256 * 1024 * 1024, lingerMs: 0 },
      'by default runs do not hand over',
    ],
    [{}, { ghostTables: 'skip' }, 'by default ghost tables are skipped'],
    [{ GHOST_TABLES: 'deliver' }, { ghostTables: 'deliver' }, 'GHOST_TABLES=deliver delivers ghost tables'],
    [{ DTS_PARTITION: '0' }, { partition: 0 }, 'partition 0 is a partition'],
    [
      { DTS_PARTITION: ' 3\r' },
      { partition: 3 },
      'blanks and a Windows line end around a number are dropped',
    ],
    [
      { DTS_TOPIC: ' shop\r', DTS_SID: 'dtsabc\n', DTS_CHECKPOINT: ' 1795433580 ', DTS_TLS: 'true ' },
      { topic: 'shop', group: 'dtsabc', user: 'reader-dtsabc', startTime: 1_795_433_580, tls: true },
      'blanks around all other values are dropped',
    ],
    [{ DTS_PASSWORD: ' p ' }, { password: { value: ' p ' } }, 'blanks around a password stay'],
    [
      { DTS_CHECKPOINT: '10000000000000' },
      { startTime: 10_000_000_000 },
      'a start time may be the last millisecond of the year 2286',
    ],
    [
      { DTS_ALLOWED_NODES: 'a.example.com, *.b.example.com,' },
      { allowedNodes: ['a.example.com', '*.b.example.com'] },
      'allowed nodes are a list of names and patterns',
    ],
    [
      {
        FUNCTION_PREFIX: 'shop-dev-',
        ROUTES: '{"shop.orders":"orders","shop_*.items_*":{"function":"items","attempts":3}}',
      },
      {
        routes: {
          'shop.orders': { ...defaultDelivery, functionName: 'shop-dev-orders' },
          'shop_*.items_*': { ...defaultDelivery, attempts: 3, functionName: 'shop-dev-items' },
        },
      },
      "a route's function name gets the prefix of the deployment",
    ],
  ]
  for (const [variables, expected, reason] of accepted) {
    test(reason, () => {
      const config = testConfig({ ...dts, ...variables })
      assert.deepEqual({ ...config, ...expected }, config)
    })
  }
})

describe('the configuration is refused', () => {
  const refused: [variables: Record<string, string>, message: RegExp, reason: string][] = [
    [{ DTS_BROKER_URL: '' }, /DTS_BROKER_URL is missing/, 'an empty variable counts as missing'],
    [
      { DTS_BROKER_URL: 'dts.aliyuncs.com' },
      /DTS_BROKER_URL must be host:port/,
      'a broker address without a port',
    ],
    [{ DTS_BROKER_URL: 'dts:0' }, /DTS_BROKER_URL must be host:port/, 'a broker address with port 0'],
    [{ DTS_BROKER_URL: 'dts:65536' }, /DTS_BROKER_URL must be host:port/, 'a broker address with port 65536'],
    [
      { DTS_BROKER_URL: 'kafka://dts:9092' },
      /DTS_BROKER_URL must be host:port/,
      'a broker address that is a URL',
    ],
    [{ DTS_BROKER_URL: 'a:1,b:2' }, /DTS_BROKER_URL must be host:port/, 'a list of broker addresses'],
    [{ DTS_TOPIC: '' }, /DTS_TOPIC is missing/, 'a missing topic'],
    [{ CHECKPOINT_TABLE: '' }, /CHECKPOINT_TABLE is missing/, 'a missing checkpoint table'],
    [{ DTS_SID: '' }, /DTS_SID is missing .*DTS_GROUP/, 'a missing sid and group'],
    [{ DTS_USER: '' }, /DTS_USER is missing/, 'a missing user'],
    [{ DTS_PASSWORD: '' }, /DTS_PASSWORD_SECRET .* is missing/, 'a missing password'],
    [
      { DTS_PASSWORD_SECRET: 's' },
      /DTS_PASSWORD and DTS_PASSWORD_SECRET are set together: keep one/,
      'a password together with a secret',
    ],
    [
      { DTS_PASSWORD: '', DTS_PASSWORD_SECRET: 's', DTS_PASSWORD_PARAMETER: '/p' },
      /DTS_PASSWORD_SECRET and DTS_PASSWORD_PARAMETER are set together: keep one/,
      'a secret together with a parameter',
    ],
    [
      { DTS_PASSWORD: '', DTS_PASSWORD_PARAMETER: '/prod/dts:3' },
      /DTS_PASSWORD_PARAMETER must be the name of an SSM parameter, .* without a version/,
      'a parameter with a version, which a rotation would not change',
    ],
    [
      { DTS_PASSWORD: '', DTS_PASSWORD_PARAMETER: 'prod/dts' },
      /DTS_PASSWORD_PARAMETER must be the name of an SSM parameter, such as \/prod\/dts/,
      'a parameter in a folder without "/" at the beginning',
    ],
    [{ DTS_CHECKPOINT: 'yesterday' }, /DTS_CHECKPOINT must be UNIX seconds/, 'a start time that is a word'],
    [
      { DTS_CHECKPOINT: '2026-11-23' },
      /DTS_CHECKPOINT must be .*with a zone/,
      'a start time that is only a date',
    ],
    [{ DTS_CHECKPOINT: '2026-11-23T11:33:00' }, /with a zone/, 'a start time without a zone'],
    [{ DTS_CHECKPOINT: '-5' }, /DTS_CHECKPOINT must be/, 'a negative start time'],
    [
      { DTS_CHECKPOINT: '1795433580.5' },
      /DTS_CHECKPOINT must be/,
      'a start time with a fraction of a second',
    ],
    [
      { DTS_ALLOWED_NODES: 'a.example.com, 10.0.0.5:18001' },
      /DTS_ALLOWED_NODES has "10\.0\.0\.5:18001": each part must be a host name, an IP address, a pattern/,
      'an allowed node with a port',
    ],
    [{ DTS_ALLOWED_NODES: '10.0.0.0/8' }, /DTS_ALLOWED_NODES has "10/, 'a network as an allowed node'],
    [{ DTS_TLS: 'yes' }, /DTS_TLS must be true or false/, 'DTS_TLS=yes'],
    [{ DTS_PARTITION: '-1' }, /DTS_PARTITION must be a partition number/, 'a negative partition'],
    [{ DTS_PARTITION: 'first' }, /DTS_PARTITION /, 'a partition that is a word'],
    [
      { UNROUTED_TABLES: 'drop' },
      /UNROUTED_TABLES must be skip or halt/,
      'an unknown rule for unrouted tables',
    ],
    [
      { POLL_HANDOVER: 'yes' },
      /POLL_HANDOVER must be true or false/,
      'a hand-over that is neither on nor off',
    ],
    [{ POLL_MAX_RECORDS: '0' }, /POLL_MAX_RECORDS must be a whole number from 1/, 'a run of zero records'],
    [{ POLL_FETCH_BYTES: '1.5' }, /POLL_FETCH_BYTES must be a whole number/, 'a fraction of a byte'],
    [{ POLL_MAX_BYTES: 'many' }, /POLL_MAX_BYTES must be a whole number/, 'a word in place of a number'],
    [{ HANDLER_TIMEOUT_SECONDS: '901' }, /from 1 to 900/, 'a handler timeout longer than Lambda allows'],
    [{ DTS_BROKER: 'x' }, /DTS_BROKER is not a known setting .*DTS_BROKER_URL/, 'a misspelt DTS variable'],
    [{ POLL_MAX_RECORD: '1' }, /POLL_MAX_RECORD is not a known setting/, 'a misspelt POLL variable'],
  ]
  const numbers = [
    'DTS_PARTITION',
    'HANDLER_TIMEOUT_SECONDS',
    'POLL_MAX_RECORDS',
    'POLL_MAX_BYTES',
    'POLL_FETCH_BYTES',
    'POLL_LINGER_SECONDS',
  ]
  for (const value of [
    '0x10',
    '1e3',
    '+5',
    '-0',
    '5.0',
    '１２',
    '٣',
    '1_000',
    '1,000',
    'NaN',
    'Infinity',
    '5 5',
  ]) {
    for (const name of numbers)
      refused.push([{ [name]: value }, new RegExp(`${name} must be`), `${name}=${value}`])
  }
  for (const value of [' ', '\t', '\r\n', '\u00a0']) {
    for (const name of [...numbers, 'DTS_TOPIC', 'DTS_CHECKPOINT', 'DTS_SID', 'DTS_TLS', 'DTS_PASSWORD'])
      refused.push([
        { [name]: value },
        new RegExp(`has 1 problem.*${name} contains only blanks`),
        `${name} that is ${JSON.stringify(value)}`,
      ])
  }
  for (const value of ['1795433580999999', '1795433580999999999', '10000000000001']) {
    const hint = new RegExp(`DTS_CHECKPOINT must be .*; ${value} is beyond the year 2286 .* microseconds`)
    refused.push([
      { DTS_CHECKPOINT: value },
      hint,
      `a start time of ${value}, which is in microseconds or beyond`,
    ])
  }
  for (const value of ['1e9', '0x6b036f2c', '+1795433580', '-0', '１７９５４３３５８０', '1795433580n'])
    refused.push([
      { DTS_CHECKPOINT: value },
      /DTS_CHECKPOINT must be UNIX seconds/,
      `a start time written as ${value}`,
    ])
  refused.push([{ DTS_PARTITION: '2147483648' }, /DTS_PARTITION must be/, 'a partition number above 32 bits'])
  for (const [variables, message, reason] of refused) {
    test(reason, () => {
      const error = problemsOf({ ...dts, ...variables })
      assert.equal(error.code, 'CONFIG_INVALID')
      assert.equal(error.retryable, false)
      assert.match(error.message, message)
    })
  }

  test('one error lists every problem', () => {
    const { message, facts } = problemsOf({
      DTS_BROKER_URL: 'nowhere',
      DTS_PASWORD: 'p',
      DTS_SID: 'dtsabc',
      DTS_CHECKPOINT: 'soon',
      ROUTES: '{}',
      POLL_MAX_RECORDS: '-1',
    })
    for (const name of [
      'DTS_BROKER_URL',
      'DTS_PASWORD',
      'DTS_TOPIC',
      'DTS_USER',
      'DTS_CHECKPOINT',
      'CHECKPOINT_TABLE',
      'POLL_MAX_RECORDS',
    ]) {
      assert.match(message, new RegExp(`${name} (is|must)`))
    }
    assert.equal(facts.problems, 7)
  })

  test('a group that differs from the sid is GROUP_REFUSED, or CONFIG_INVALID if there are other problems', () => {
    const error = problemsOf({ ...dts, DTS_GROUP: 'mine' })
    assert.equal(error.code, 'GROUP_REFUSED')
    assert.match(error.message, /DTS_GROUP \(mine\) differs from DTS_SID \(dtsabc\)/)
    assert.equal(problemsOf({ ...dts, DTS_GROUP: 'mine', DTS_TOPIC: '' }).code, 'CONFIG_INVALID')
  })

  test('no error message contains a password', () => {
    const { message } = problemsOf({
      ...dts,
      DTS_PASSWORD: 'canary',
      DTS_PASSWORD_SECRET: 's',
      DTS_TOPIC: '',
    })
    assert.doesNotMatch(message, /canary/)
  })
})
