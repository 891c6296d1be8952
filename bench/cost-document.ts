import { billOf, sumOf } from '../infra/operate/cost/bill.ts'
import type { Coefficients } from '../infra/operate/cost/coefficients.ts'
import type { Load } from '../infra/operate/cost/load.ts'
import type { Prices } from '../infra/operate/cost/prices.ts'
import { breakEven } from '../infra/operate/cost/run-cost.ts'
import { dayOfUse } from '../infra/operate/cost/usage.ts'

const usual = { recordBytes: 500, handlerMs: 1, memory: 256, mode: 'scheduled', lingerSeconds: 0 } as const
const lowLatency = { ...usual, mode: 'low-latency' } as const
const loads: readonly Load[] = [
  { ...usual, changesPerDay: 0, tables: 1 },
  { ...usual, changesPerDay: 10_000, tables: 3 },
  { ...usual, changesPerDay: 1_000_000, tables: 12 },
  { ...usual, changesPerDay: 1_000_000, tables: 120 },
  { ...usual, changesPerDay: 50_000_000, tables: 12 },
  { ...usual, changesPerDay: 10_000, tables: 3, lingerSeconds: 55 },
  { ...usual, changesPerDay: 1_000_000, tables: 12, lingerSeconds: 55 },
  { ...lowLatency, changesPerDay: 0, tables: 1 },
  { ...lowLatency, changesPerDay: 10_000, tables: 3 },
  { ...lowLatency, changesPerDay: 1_000_000, tables: 12 },
]

/** docs/cost.md, with the figures of the model. */
export function costPage(coefficients: Coefficients, prices: Prices): string {
  return `${[
    `# Cost

\`npm run cost\` estimates what a stream costs in a month:

\`\`\`sh
npm run cost -- --changes-per-day 1000000 --tables 12
npx dts-functions cost --changes-per-day 1000000 --tables 12 --mode low-latency      # in a service of your own
\`\`\`

\`--record-bytes\`, \`--handler-ms\` (for one change), \`--memory\` (of a table function), \`--mode scheduled\` or
\`low-latency\` ([hand-over](deploy.md#low-latency)) and \`--linger\` (scheduled runs only) describe the load further.
\`--prices FILE\` takes prices in the form of \`infra/operate/cost/prices.json\`, for another region or a discount (in a
service: \`node_modules/dts-functions/dist/infra/operate/cost/prices.json\`). The file that comes with dts-functions has list prices of ${prices.region}. On ${prices.asOf} they agreed with the pages that its member \`sources\` names. These pages are not AWS's own, and none of them has the price of an alarm or of a Lambda request: check the prices before you rely on them. \`npm run bench -- --page\` writes this page from prices and coefficients.

## A few loads

In US dollars a month, for changes of 500 bytes and handlers that need 1 ms for one. Free tiers are not deducted.`,
    table(
      [
        'changes a day',
        'tables',
        'mode',
        'invocations a day',
        'Lambda',
        'DynamoDB',
        'CloudWatch',
        'the bill',
      ],
      loads.map((load) => costs(load, coefficients, prices)),
    ),
    `**CloudWatch is most of the bill** of a small stream. Each metric costs $${dollars(prices.metricPerMonth)} a month: the poller has ${coefficients.run.metrics}, and each function that
gets changes has ${coefficients.invocation.metrics} more. One function for many tables saves metrics.

## Against a consumer that always runs

A consumer of your own needs a task that always runs. Half a processor and 1 GB of Fargate are the comparison. It replaces starts
and time of the poller, the checkpoint's reads and writes, and the schedule. Handlers, alarms and logs are needed in both cases. Polling
costs less up to about so many changes a day. In the low-latency mode, a run is always at work, and a task costs less.`,
    table(
      ['tables', 'without a linger', 'with a linger'],
      [1, 12, 120].map((tables) => [
        number(tables),
        ...[0, 55].map((lingerSeconds) => {
          const limit = breakEven({ ...usual, changesPerDay: 0, tables, lingerSeconds }, coefficients, prices)
          return limit === null ? 'never' : number(limit)
        }),
      ]),
    ),
    `The task needs a second one where a failure of the first must not stop the stream. Below the break-even, the reason for a task
is delay: without a linger, a change waits up to a minute.

## The model

- **Runs.** The schedule starts a run each minute. With a linger, the heartbeats of DTS keep a run awake for 75 s, which is its timeout
  less the worst case of an invocation. The next run begins with the second minute. In the low-latency mode a run is always at work, and
  looks four times a second at the checkpoint between its commits.
- **Invocations.** A run delivers what came since the last one. A function gets its changes in one invocation, or in several if they exceed
  the batch size (1,000), 4.3 MB, or 16 MB of the log. While a run is awake, each change has an invocation of its own, unless it comes
  during another one of its function.
- **Time.** Measured processor time, times 1,769 MB and divided by the memory. A run also waits 20 ms for each request to DTS, 5 ms for each to
  DynamoDB, and for its handlers. A distant DTS makes runs longer.
- **Writes.** A run that delivers for long commits five times a second. A run that is awake commits after each delivery. Heartbeats alone wait for its end.
  The measured item has ${number(coefficients.checkpointBytes)} bytes. Above 1,024, as with a long ledger or many failing lanes, each write costs twice as much.
- **Metrics.** CloudWatch charges for a metric in each hour in which it has a value.

Changes come evenly. Not in the model: cold starts, retries, dead letters, recovery, storage, keys of KMS, data transfer, a NAT gateway
or VPC endpoints (which cost more than the rest of a small stream), and DTS itself.

## Coefficients

\`npm run bench -- --coefficients\` measures them and writes \`infra/operate/cost/coefficients.json\` and this page. Processor times are
those of the bench's machine (${coefficients.measured.date}, Node ${coefficients.measured.node}, ${coefficients.measured.processor}, about ${coefficients.measured.load} processes ready to run).`,
    table(
      ['of', 'coefficient', 'value'],
      (['run', 'work', 'invocation', 'change'] as const).flatMap((part) =>
        Object.entries(coefficients[part]).map(([name, value]) => [meanings[part], name, number(value)]),
      ),
    ),
  ].join('\n\n')}\n`
}

const meanings = {
  run: 'a run on an idle stream with a minute of heartbeats',
  work: 'a run that delivers, in addition',
  invocation: 'an invocation, in addition',
  change: 'a change, in addition',
}

function costs(load: Load, coefficients: Coefficients, prices: Prices): string[] {
  const day = dayOfUse(load, coefficients)
  const items = billOf(day, prices)
  const of = (service: string) => dollars(sumOf(items.filter(({ name }) => name.startsWith(service))))
  return [
    number(load.changesPerDay),
    number(load.tables),
    load.lingerSeconds === 0 ? load.mode : `linger ${load.lingerSeconds} s`,
    number(Math.round(day.invocations)),
    of('Lambda'),
    of('DynamoDB'),
    of('CloudWatch'),
    dollars(sumOf(items)),
  ]
}

function number(value: number): string {
  return value.toLocaleString('en', { maximumFractionDigits: 5 })
}

function dollars(value: number): string {
  return value.toLocaleString('en', { minimumFractionDigits: 2, maximumFractionDigits: 2 })
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  return [line(head), `|${head.map(() => '---|').join('')}`, ...rows.map(line)].join('\n')
}
