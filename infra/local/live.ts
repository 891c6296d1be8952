import { setTimeout as sleep } from 'node:timers/promises'
import { serveFeed } from './feed/control.ts'
import { feeder } from './feed/feeder.ts'
import { readKeys } from './keys.ts'
import { Screen } from './screen.ts'
import { Shop, type ShopRecord } from './shop.ts'
import { functionPrefix, type LocalStack, root, startStack } from './stack.ts'
import { TableLines } from './table-lines.ts'
import { Troubles } from './troubles.ts'
import { render, unlimited } from './view.ts'

/** A scheduled run waits this long for more at the end of the stream, so that the next one takes over. */
const lingerSeconds = 55
const frameMs = 1_000
/** Without a terminal, the view is printed once in this many frames. */
const framesPerPrint = 10

/**
 * Runs the product on an endless stream, until `q`, Ctrl-C or SIGTERM.
 * @param feed changes that the stream begins with, instead of those of the shop; null: the shop
 * @throws LocalStackError if the process that hosts the functions ends by itself
 */
export async function runLive(
  say: (line: string) => void,
  feed: readonly ShopRecord[] | null = null,
): Promise<void> {
  say('Starting DStore emulator, dynalite and serverless-offline …')
  const now = Math.floor(Date.now() / 1000)
  const startTime = (feed ?? []).reduce((first, { timestamp }) => Math.min(first, timestamp), now)
  const stack = await startStack(startTime, { POLL_LINGER_SECONDS: String(lingerSeconds) })
  const ended = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => ended.abort())
  const fault = stack.hostEnded.then((error) => {
    ended.abort()
    return error
  })
  const screen = new Screen(process.stdout.isTTY ? () => {} : say)
  const tables = new TableLines(stack.tables, root)
  const troubles = new Troubles(functionPrefix)
  const append: Append = async (records) => {
    const offset = await stack.dstore.append(records)
    for (const { table } of records) if (table !== undefined) tables.produced(table, 1)
    return offset
  }
  let stopFeed = async () => {}
  const stopKeys = readKeys(stack, screen, () => ended.abort())
  try {
    stopFeed = await serveFeed(root, feeder(stack.tables, append))
    const shop = new Shop(startTime, stack.handledTables)
    await append([shop.heartbeat(startTime), ...(feed ?? [])])
    // The first scheduled run may be a minute away.
    void firstPoll(stack, screen)
    const writes = feed === null ? sale : heartbeat
    const produced = produce(stack, append, (second, at) => writes(shop, second, at), ended.signal)
    await Promise.all([produced, show(stack, { screen, tables, troubles }, say, ended.signal)])
  } finally {
    stopKeys()
    await stopFeed()
    say('Stopping …')
    const keepsLog = troubles.current.length > 0 || (await hasEnded(fault))
    if (keepsLog) say(`The functions' log is ${stack.logFile}`)
    await stack.stop(keepsLog)
  }
  if (await hasEnded(fault)) throw await fault
}

/** Whether a promise is settled already. */
async function hasEnded(promise: Promise<unknown>): Promise<boolean> {
  const pending = Symbol('pending')
  return (await Promise.race([promise, Promise.resolve(pending)])) !== pending
}

/** Without this, a poller that refuses its environment would look like a stream that never starts. */
async function firstPoll(stack: LocalStack, screen: Screen): Promise<void> {
  const answer = await stack.invoke('poller', {}).catch(() => null)
  // A halt is on the screen already, with what to do here.
  const isHalted = (await stack.store.read().catch(() => null))?.state === 'HALTED'
  if (answer?.ok === false && !isHalted) screen.note(`${answer.code}: ${answer.message}`)
}

/** Resolves to the offset of the first record. */
type Append = (records: readonly ShopRecord[]) => Promise<bigint>

/** A heartbeat, a few transactions, sometimes a DDL statement. */
function sale(shop: Shop, second: number, at: number): ShopRecord[] {
  const transactions = Array.from({ length: second % 4 }, () => shop.transaction(at)).flat()
  return [shop.heartbeat(at), ...transactions, ...(second % 120 === 0 ? [shop.ddl(at)] : [])]
}

/** What DTS writes while the source is idle. */
function heartbeat(shop: Shop, _second: number, at: number): ShopRecord[] {
  return [shop.heartbeat(at)]
}

/** Writes each second, and sometimes filler. @param records of a second, by its number and its time */
async function produce(
  { dstore }: LocalStack,
  append: Append,
  records: (second: number, at: number) => readonly ShopRecord[],
  ended: AbortSignal,
): Promise<void> {
  for (let second = 1; !ended.aborted; second++) {
    await pause(frameMs, ended)
    await append(records(second, Math.floor(Date.now() / 1000)))
    if (second % 10 === 0) await dstore.filler(3)
  }
}

interface Shown {
  readonly screen: Screen
  readonly tables: TableLines
  readonly troubles: Troubles
}

async function show(
  stack: LocalStack,
  { screen, tables, troubles }: Shown,
  say: (line: string) => void,
  ended: AbortSignal,
): Promise<void> {
  let wasHalted = false
  for (let frame = 0; !ended.aborted; frame++) {
    const observations = await stack.observed.readNew()
    tables.observe(observations)
    for (const text of [...troubles.observe(observations), ...troubles.overdue(Date.now())]) screen.note(text)
    const checkpoint = await stack.store.read()
    if (checkpoint !== null) troubles.passed(checkpoint.generation, checkpoint.offset)
    const isHalted = checkpoint?.state === 'HALTED'
    if (wasHalted && !isHalted) screen.offer([])
    wasHalted = isHalted
    const { dstore, logFile } = stack
    const view = {
      tables: tables.lines,
      checkpoint,
      clusterId: dstore.clusterId,
      range: dstore.range,
      now: Date.now(),
      troubles: troubles.current,
      events: screen.events,
      steps: screen.stepLines,
      logFile,
    }
    const { isTTY, columns, rows } = process.stdout
    if (isTTY) process.stdout.write(`\x1b[H\x1b[2J${render(view, { columns, rows }).join('\n')}\n`)
    else if (frame % framesPerPrint === 0) for (const line of render(view, unlimited)) say(line)
    await pause(frameMs, ended)
  }
}

async function pause(ms: number, ended: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal: ended }).catch(() => {})
}
