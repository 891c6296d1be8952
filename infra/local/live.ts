import { setTimeout as sleep } from 'node:timers/promises'
import { ColumnNotices } from './column-notices.ts'
import { serveFeed } from './feed/control.ts'
import { FeedReader } from './feed/feed-reader.ts'
import { feeder } from './feed/feeder.ts'
import { readKeys } from './keys.ts'
import { notRun } from './local-source.ts'
import type { Origin } from './origin.ts'
import { Page } from './page/page.ts'
import { Screen } from './screen.ts'
import type { LocalRecord } from './shop.ts'
import { functionPrefix, type LocalStack, root, startStack } from './stack.ts'
import { TableLines } from './table-lines.ts'
import { Troubles, troubleLines } from './troubles.ts'
import { render, unlimited } from './view.ts'

const frameMs = 1_000
/** Without a terminal, the view is printed once in this many frames. */
const framesPerPrint = 10
/** The poller stores changed columns at the end of a run. */
const framesPerColumns = 10

/** The emulator keeps its log in memory. So it drops records that were handled this long ago. */
const mostKept = 200_000n

export interface LiveOptions {
  readonly pagePort?: number
  readonly source?: string | undefined
  readonly reader?: FeedReader
}

/**
 * Runs the product on an endless stream, until `q`, Ctrl-C or SIGTERM.
 * @param options `pagePort`: where the page is served on 127.0.0.1; 0: a free port. `source`: whose handlers run, as `startStack` says.
 *   `reader` of the changes that a person sends: it knows the rows of the scripts that the origin came from
 * @throws LocalStackError if the page's port is taken, or if the process that hosts the functions ends by itself; an error of the
 *   origin
 */
export async function runLive(
  say: (line: string) => void,
  origin: Origin,
  { pagePort = 0, source, reader = new FeedReader() }: LiveOptions = {},
): Promise<void> {
  say('Starting DStore emulator, dynalite and serverless-offline …')
  const { startTime, firstOffset } = origin
  // A run that starts each minute takes over from the one before it, so that the stream never waits.
  const stack = await startStack(startTime, { POLL_HANDOVER: 'true' }, firstOffset, source)
  const others = notRun(stack.source)
  if (others !== null) say(others)
  const ended = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => ended.abort())
  const fault = stack.hostEnded.then((error) => {
    ended.abort()
    return error
  })
  const screen = new Screen(process.stdout.isTTY ? () => {} : say)
  const tables = new TableLines(stack.tables, root)
  const troubles = new Troubles(functionPrefix)
  const committed: Committed = { clusterId: '', offset: 0n }
  const append = async (records: readonly LocalRecord[]) => {
    const offset = await stack.dstore.append(records)
    for (const { table } of records) if (table !== undefined) tables.produced(table, 1)
    return offset
  }
  let stopFeed = async () => {}
  const page = new Page(stack, screen)
  const stopKeys = readKeys(stack, screen, () => ended.abort())
  try {
    const address = await page.start(pagePort)
    say(`The page is ${address}`)
    stopFeed = await serveFeed(root, feeder(stack.tables, append, reader))
    await append(origin.first)
    // The first scheduled run may be a minute away.
    void firstPoll(stack, screen)
    const target = {
      append,
      filler: (count: number) => stack.dstore.filler(count),
      waiting: () => waiting(stack, committed),
      note: (text: string) => screen.note(text),
    }
    const wait = (ms: number) => pause(ms, ended.signal)
    await Promise.all([
      origin.write(target, wait, ended.signal),
      show(stack, { screen, tables, troubles, committed, page, address }, say, ended.signal),
    ])
  } finally {
    // After an error of the origin, the screen still waits.
    ended.abort()
    stopKeys()
    await Promise.all([stopFeed(), page.stop()])
    say('Stopping …')
    const letters = stack.letters().length
    const keepsLog = troubles.current.length > 0 || letters > 0 || (await hasEnded(fault))
    for (const trouble of troubles.current) say(troubleLines(trouble).join(' '))
    if (letters > 0) say(`${letters} dead letters were in the queue, which ends now.`)
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

/** The number of records that the functions have before them. Offsets of another cluster count for nothing. */
function waiting({ dstore }: LocalStack, { clusterId, offset }: Committed): bigint {
  const { earliest, end } = dstore.range
  return end - (clusterId === dstore.clusterId ? offset : earliest)
}

function trim({ dstore }: LocalStack, { clusterId, offset }: Committed): void {
  const isHandled = clusterId === dstore.clusterId && offset - dstore.range.earliest > mostKept
  if (isHandled) dstore.trim({ beforeOffset: offset - mostKept / 2n })
}

/** How far the checkpoint is. */
interface Committed {
  clusterId: string
  offset: bigint
}

interface Shown {
  readonly screen: Screen
  readonly tables: TableLines
  readonly troubles: Troubles
  /** Kept up to date. */
  readonly committed: Committed
  readonly page: Page
  /** Of the page. */
  readonly address: string
}

async function show(
  stack: LocalStack,
  { screen, tables, troubles, committed, page, address }: Shown,
  say: (line: string) => void,
  ended: AbortSignal,
): Promise<void> {
  const notices = new ColumnNotices()
  let wasHalted = false
  let isLast = false
  for (let frame = 0; !isLast; frame++) {
    // After the end, once more: what handlers did right before their host ended is what a person looks for then.
    isLast = ended.aborted
    const observations = await stack.observed.readNew()
    tables.observe(observations)
    for (const text of [...troubles.observe(observations), ...troubles.overdue(Date.now())]) screen.note(text)
    if (frame % framesPerColumns === 0) {
      const { history } = await stack.columnStore.read()
      for (const text of notices.news(history)) screen.note(text)
    }
    const checkpoint = await stack.store.read()
    if (checkpoint !== null) {
      troubles.passed(checkpoint.generation, checkpoint.offset)
      Object.assign(committed, { clusterId: checkpoint.clusterId, offset: checkpoint.offset })
      trim(stack, committed)
    }
    const isHalted = checkpoint?.state === 'HALTED'
    if (wasHalted && !isHalted) screen.offer([])
    wasHalted = isHalted
    const { dstore, logFile } = stack
    const now = Date.now()
    page.show({ now, observations, checkpoint, tables: tables.lines, troubles: troubles.current })
    const view = {
      tables: tables.lines,
      checkpoint,
      clusterId: dstore.clusterId,
      range: dstore.range,
      now,
      troubles: troubles.current,
      letters: stack.letters().length,
      events: screen.events,
      steps: screen.stepLines,
      logFile,
      page: address,
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
