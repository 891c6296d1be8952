import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { costPage } from '../../../../bench/cost-document.ts'
import { alwaysOnDollars, billOf, sumOf } from '../../../../infra/operate/cost/bill.ts'
import { readCoefficients } from '../../../../infra/operate/cost/coefficients.ts'
import { toCostCall } from '../../../../infra/operate/cost/load.ts'
import { readPrices } from '../../../../infra/operate/cost/prices.ts'
import { breakEven, costText } from '../../../../infra/operate/cost/run-cost.ts'
import { dayOfUse } from '../../../../infra/operate/cost/usage.ts'
import { UsageError } from '../../../../infra/operate/report.ts'
import { runNode } from '../../../support/run-node.ts'

const root = fileURLToPath(new URL('../../../..', import.meta.url))
const coefficients = readCoefficients()
const prices = readPrices()
const call = (argv: string) => toCostCall(argv.split(' ')) ?? assert.fail('help')
const { load } = call('--changes-per-day 1000000 --tables 12')

function file(t: TestContext, content: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'prices-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const path = join(folder, 'prices.json')
  writeFileSync(path, content)
  return path
}

test('the flags describe the load, and have the defaults of a deployment', () => {
  const flags = '--record-bytes 900 --handler-ms 0.5 --memory 512 --linger 55 --prices p.json'
  assert.deepEqual(call(`--changes-per-day 7 --tables 3 ${flags}`), {
    load: {
      changesPerDay: 7,
      tables: 3,
      recordBytes: 900,
      handlerMs: 0.5,
      memory: 512,
      mode: 'scheduled',
      lingerSeconds: 55,
    },
    prices: 'p.json',
  })
  assert.deepEqual([load.recordBytes, load.handlerMs, load.memory, load.lingerSeconds], [500, 1, 256, 0])
})

const mistakes: [argv: string[], message: RegExp][] = [
  [[], /^--changes-per-day is missing\.$/],
  [['--changes-per-day', '5'], /^--tables is missing\.$/],
  [
    ['--changes-per-day', '1e6', '--tables', '1'],
    /^--changes-per-day takes a whole number from 0 to 10,000,000,000, not "1e6"\.$/,
  ],
  [['--changes-per-day', '1', '--tables', '0'], /^--tables takes a whole number from 1 to 10,000, not "0"/],
  [['--changes-per-day', '1', '--tables', '1', '--memory', '64'], /^--memory takes .* from 128 to 10,240/],
  [['--changes-per-day', '1', '--tables', '1', '--handler-ms', 'fast'], /^--handler-ms takes .*, not "fast"/],
  [['--changes-per-day', '1', '--tables', '1', '--prices', ' '], /^--prices needs a file\.$/],
  [['--change-per-day', '1'], /--change-per-day/],
  [
    ['--changes-per-day', '1', '--tables', '1', '--mode', 'fast'],
    /^--mode is one of scheduled, low-latency, not "fast"/,
  ],
  [
    ['--changes-per-day', '1', '--tables', '1', '--mode', 'low-latency', '--linger', '5'],
    /^--linger is for scheduled runs/,
  ],
]
for (const [argv, message] of mistakes) {
  test(`cost refuses ${JSON.stringify(argv)} and says why`, () => {
    assert.throws(
      () => toCostCall(argv),
      (error: unknown) => error instanceof UsageError && message.test(error.message),
    )
  })
}

describe('the prices', () => {
  test('of a file replace the own ones: a doubled price doubles its items', () => {
    const day = dayOfUse(load, coefficients)
    const lambda = (lambdaGbSecond: number) =>
      sumOf(billOf(day, { ...prices, lambdaGbSecond }).filter(({ unit }) => unit === 'GB-seconds'))
    assert.equal(lambda(2 * prices.lambdaGbSecond), 2 * lambda(prices.lambdaGbSecond))
  })

  test('of a file that lacks one, has a word for one, or is no JSON are refused with the reason', (t) => {
    const { metricPerMonth: _, ...others } = prices
    for (const [content, message] of [
      [JSON.stringify(others), /^--prices: .*prices\.json has no complete list of prices: metricPerMonth /],
      [JSON.stringify({ ...prices, metricPerMonth: 'free' }), /: metricPerMonth .*string/],
      [JSON.stringify({ ...prices, metricsPerMonth: 1 }), /metricsPerMonth/],
      ['{', /cannot be read as JSON/],
    ] as const) {
      const path = file(t, content)
      assert.throws(
        () => readPrices(path),
        (error: unknown) => error instanceof UsageError && message.test(error.message),
      )
    }
    assert.throws(() => readPrices('/nowhere/prices.json'), /ENOENT/)
  })
})

describe('the text', () => {
  test('has a line for each service, and their sum', () => {
    const text = costText(load, coefficients, prices)
    const dollarsOf = (line: string) => Number(/\$([\d.,]+)$/.exec(line)?.[1]?.replaceAll(',', ''))
    const items = text.filter((line) => /^(Lambda|DynamoDB|SQS|CloudWatch|EventBridge|Secrets)/.test(line))
    assert.equal(items.length, 13)
    const total = dollarsOf(text.find((line) => line.startsWith('a month')) ?? '')
    // Each line is rounded to cents.
    assert.ok(Math.abs(items.reduce((sum, line) => sum + dollarsOf(line), 0) - total) < 0.07)
    assert.match(text.join('\n'), /list prices of us-east-1, as of \d{4}-\d\d-\d\d; check them/)
  })

  test('says that a load is too high', () => {
    const text = costText({ ...load, handlerMs: 5_000 }, coefficients, prices).join('\n')
    assert.match(text, /^This load is too high: The handler of a table needs/m)
  })
})

test('at the break-even, polling costs about as much as a consumer that always runs', () => {
  const limit = breakEven(load, coefficients, prices)
  assert.ok(limit !== null)
  const polling = (changesPerDay: number) =>
    sumOf(
      billOf(dayOfUse({ ...load, changesPerDay }, coefficients), prices).filter(({ isPolling }) => isPolling),
    )
  assert.ok(polling(limit * 0.9) < alwaysOnDollars(prices))
  assert.ok(polling(limit * 1.1) > alwaysOnDollars(prices))
  const free = { ...prices, fargateVcpuHour: 0, fargateGbHour: 0 }
  assert.equal(breakEven(load, coefficients, free), null)
})

test('docs/cost.md is what the bench writes from coefficients and prices', () => {
  assert.equal(
    readFileSync(join(root, 'docs/cost.md'), 'utf8'),
    costPage(coefficients, prices),
    'run: npm run bench -- --page',
  )
})

test('the command prints the bill with the prices of a file, and refuses a mistake with exit code 2', async (t) => {
  const path = file(t, JSON.stringify({ ...prices, region: 'mars-north-1' }))
  const main = join(root, 'infra/operate/cost/main.ts')
  const flags = ['--changes-per-day', '1000', '--tables', '2']
  const { code, stdout } = await runNode(root, [main, ...flags, '--prices', path], {})
  assert.equal(code, 0)
  assert.match(stdout, /^a month +\$\d/m)
  assert.match(stdout, /list prices of mars-north-1/)
  const refused = await runNode(root, [main], {})
  assert.deepEqual([refused.code, refused.stdout], [2, ''])
  assert.match(refused.stderr, /^--changes-per-day is missing\.\n\nnpm run cost -- --changes-per-day N/)
})
