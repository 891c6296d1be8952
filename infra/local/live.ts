import { emitKeypressEvents } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { Shop } from './shop.ts'
import { type Answer, type LocalStack, startStack } from './stack.ts'
import { render, type TableView } from './view.ts'

/** A scheduled run waits this long for more at the end of the stream, so that the next one takes over. */
const lingerSeconds = 55
const frameMs = 1_000
/** Without a terminal, the view is printed once in this many frames. */
const framesPerPrint = 10

/** Runs the product on an endless stream, until `q`, Ctrl-C or SIGTERM. */
export async function runLive(say: (line: string) => void): Promise<void> {
  say('Starting DStore emulator, dynalite and serverless-offline …')
  const startTime = Math.floor(Date.now() / 1000)
  const stack = await startStack(startTime, { POLL_LINGER_SECONDS: String(lingerSeconds) })
  const ended = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => ended.abort())
  const events: string[] = []
  const note = (text: string) => events.push(`${new Date().toISOString().slice(11, 19)}  ${text}`)
  const stopKeys = readKeys(stack, note, () => ended.abort())
  try {
    const shop = new Shop(startTime, stack.handledTables)
    await stack.dstore.append([shop.heartbeat(startTime)])
    // The first scheduled run may be a minute away.
    void firstPoll(stack, note)
    await Promise.all([produce(stack, shop, ended.signal), show(stack, events, say, ended.signal)])
  } finally {
    stopKeys()
    say('Stopping …')
    await stack.stop()
  }
}

/** Without this, a poller that refuses its environment would look like a stream that never starts. */
async function firstPoll(stack: LocalStack, note: (text: string) => void): Promise<void> {
  const answer = await stack.invoke('poller', {}).catch(() => null)
  if (answer?.ok === false) note(`${answer.code}: ${answer.message}`)
}

/** A few transactions a second, a heartbeat each second, sometimes filler and a DDL statement. */
async function produce({ dstore }: LocalStack, shop: Shop, ended: AbortSignal): Promise<void> {
  for (let second = 1; !ended.aborted; second++) {
    await pause(frameMs, ended)
    const now = Math.floor(Date.now() / 1000)
    const transactions = Array.from({ length: second % 4 }, () => shop.transaction(now)).flat()
    await dstore.append([
      shop.heartbeat(now),
      ...transactions,
      ...(second % 120 === 0 ? [shop.ddl(now)] : []),
    ])
    if (second % 10 === 0) await dstore.filler(3)
  }
}

async function show(
  stack: LocalStack,
  events: readonly string[],
  say: (line: string) => void,
  ended: AbortSignal,
): Promise<void> {
  const tables = new Map<string, TableView>(stack.handledTables.map((table) => [table, emptyView(table)]))
  for (let frame = 0; !ended.aborted; frame++) {
    for (const { table, operation, offset, replay } of await stack.handled.readNew()) {
      // A new file in functions/tables gets its line with its first change.
      const view = tables.get(table) ?? emptyView(table)
      tables.set(table, view)
      view.handled += 1
      view.replays += replay ? 1 : 0
      Object.assign(view, { lastOperation: operation, lastOffset: offset })
    }
    const { dstore, logFile } = stack
    const { clusterId, range } = dstore
    const checkpoint = await stack.store.read()
    const lines = render({
      tables: [...tables.values()],
      checkpoint,
      clusterId,
      range,
      now: Date.now(),
      events,
      logFile,
    })
    if (process.stdout.isTTY) process.stdout.write(`\x1b[H\x1b[2J${lines.join('\n')}\n`)
    else if (frame % framesPerPrint === 0) for (const line of lines) say(line)
    await pause(frameMs, ended)
  }
}

function emptyView(table: string): TableView {
  return { table, handled: 0, replays: 0, lastOperation: '', lastOffset: '' }
}

/** @returns a function that ends the reading */
function readKeys(stack: LocalStack, note: (text: string) => void, quit: () => void): () => void {
  const { stdin } = process
  if (!stdin.isTTY) return () => {}
  emitKeypressEvents(stdin)
  stdin.setRawMode(true)
  const onKey = (_text: string, key: { name?: string; ctrl?: boolean }) => {
    if (key.name === 'q' || (key.ctrl && key.name === 'c')) quit()
    else if (key.name === 'c') void switchCluster(stack, note)
    else if (key.name === 'i') void ask(stack, { action: 'inspect' }, note)
    else if (key.name === 'r') void ask(stack, { action: 'reset', by: 'live view' }, note)
  }
  stdin.on('keypress', onKey)
  return () => {
    stdin.off('keypress', onKey)
    stdin.setRawMode(false)
    stdin.pause()
  }
}

async function switchCluster({ dstore }: LocalStack, note: (text: string) => void): Promise<void> {
  const before = dstore.clusterId
  await dstore.switchCluster({})
  note(`DTS failed over from cluster ${before} to ${dstore.clusterId}; the next run of the poller finds out`)
}

async function ask(stack: LocalStack, event: unknown, note: (text: string) => void): Promise<void> {
  const answer = await stack.invoke('recovery', event).catch(
    (error: Error): Answer => ({
      ok: false,
      code: error.name,
      message: error.message,
    }),
  )
  note(answer.ok ? summary(answer.result) : `${answer.code}: ${answer.message}`)
  // Continue after a reset at once, not with the next scheduled run.
  if (answer.ok) void stack.invoke('poller', {}).catch(() => {})
}

function summary(result: unknown): string {
  const { advice, note } = result as { advice?: string; note?: string }
  return advice ?? note ?? JSON.stringify(result)
}

async function pause(ms: number, ended: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal: ended }).catch(() => {})
}
