import { reporting } from '../report.ts'
import { alwaysOnDollars, billOf, type Item, sumOf } from './bill.ts'
import { type Coefficients, readCoefficients } from './coefficients.ts'
import { type Load, toCostCall, usage } from './load.ts'
import { type Prices, readPrices } from './prices.ts'
import { type DayOfUse, dayOfUse } from './usage.ts'

/** Prints what a stream costs in a month. @returns the exit code */
export function runCost(argv: readonly string[], program: string): Promise<number> {
  const text = usage(program)
  return reporting(text, async () => {
    const call = toCostCall(argv)
    if (call === null) console.log(text)
    else console.log(costText(call.load, readCoefficients(), readPrices(call.prices)).join('\n'))
    return 0
  })
}

export function costText(load: Load, coefficients: Coefficients, prices: Prices): string[] {
  const day = dayOfUse(load, coefficients)
  const items = billOf(day, prices)
  const total = { name: 'a month', amount: '', unit: '', dollars: dollarText(sumOf(items)) }
  const rows = items.map((item) => ({
    ...item,
    amount: amountText(item.amount),
    dollars: dollarText(item.dollars),
  }))
  return [
    loadText(load, day),
    '',
    ...columns([...rows, total].map(({ name, amount, unit, dollars }) => [name, amount, unit, dollars])),
    '',
    comparison(load, items, coefficients, prices),
    ...day.limits.map((limit) => `This load is too high: ${limit}`),
    '',
    `Prices in US dollars: list prices of ${prices.region}, as of ${prices.asOf}; check them. No free tier, no taxes.`,
    `Coefficients: measured on ${coefficients.measured.date}. docs/cost.md says what the model leaves out.`,
  ]
}

function loadText(
  { changesPerDay, tables, recordBytes, handlerMs, memory, mode, lingerSeconds }: Load,
  day: DayOfUse,
) {
  const number = (value: number) => value.toLocaleString('en')
  return (
    `${number(changesPerDay)} changes a day of ${number(recordBytes)} bytes for ${number(tables)} table functions with ` +
    `${number(memory)} MB, ${number(handlerMs)} ms a change, ${mode}, linger ${number(lingerSeconds)} s: ` +
    `${number(Math.round(day.runs))} runs and ${number(Math.round(day.invocations))} invocations a day`
  )
}

function comparison(load: Load, items: readonly Item[], coefficients: Coefficients, prices: Prices): string {
  const polling = sumOf(items.filter(({ isPolling }) => isPolling))
  const other = alwaysOnDollars(prices)
  const limit = breakEven(load, coefficients, prices)
  return (
    `Polling alone costs ${dollarText(polling)}. An always-on consumer (half a processor, 1 GB) costs ${dollarText(other)} for the same. ` +
    (limit === null
      ? 'Polling costs more at any load.'
      : `Polling costs less up to about ${limit.toLocaleString('en')} changes a day.`)
  )
}

/** No single poller handles more in a day. */
const mostChanges = 10_000_000_000
const smallestStep = 1_000

/**
 * The changes a day at which polling costs as much as an always-on consumer, to two digits.
 * @returns null if even an idle stream costs more
 */
export function breakEven(load: Load, coefficients: Coefficients, prices: Prices): number | null {
  const other = alwaysOnDollars(prices)
  const isCheaper = (changesPerDay: number) => {
    const items = billOf(dayOfUse({ ...load, changesPerDay }, coefficients), prices)
    return sumOf(items.filter(({ isPolling }) => isPolling)) <= other
  }
  if (!isCheaper(0)) return null
  // The first such load: a saturated function gets few full batches, so that more changes can cost less again.
  let limit = smallestStep
  while (limit < mostChanges && isCheaper(limit)) limit *= 1.02
  return Number(limit.toPrecision(2))
}

function amountText(amount: number): string {
  const digits = amount !== 0 && amount < 100 ? 2 : 0
  return amount.toLocaleString('en', { maximumFractionDigits: digits })
}

function dollarText(dollars: number): string {
  return `$${dollars.toLocaleString('en', { minimumFractionDigits: 2, maximumFractionDigits: 2 })}`
}

/** The first column and the unit to the left, numbers to the right. */
function columns(rows: readonly (readonly string[])[]): string[] {
  const width = (at: number) => Math.max(...rows.map((row) => row[at]?.length ?? 0))
  const [names, amounts, units, dollars] = [0, 1, 2, 3].map(width)
  return rows.map(
    ([name = '', amount = '', unit = '', price = '']) =>
      `${name.padEnd(names ?? 0)}  ${amount.padStart(amounts ?? 0)} ${unit.padEnd(units ?? 0)}  ${price.padStart(dollars ?? 0)}`,
  )
}
