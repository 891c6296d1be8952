import { setTimeout as sleep } from 'node:timers/promises'
import { audit, type TableAudit, total } from './audit.ts'
import type { Handled } from './handled.ts'
import { Shop, type ShopRecord } from './shop.ts'
import { type Answer, type LocalStack, startStack } from './stack.ts'

/** The number of changes of handled tables in the scenario. */
const changes = 10_000
/** The number of these in the stream when the cluster fails over. */
const changesBeforeSwitch = 6_000
/** One run reads at most about this many records, so that the switch happens in the middle of the work. */
const recordsPerPoll = 4_000
/** Small answers, so that a run does not read far past the bound. */
const bytesPerFetch = 128 * 1024
/** The span of source time of the changes, in seconds. */
const streamSeconds = 900
/** More runs than the scenario needs. A poller that never reaches the end must not hang the command. */
const mostPolls = 50

/**
 * Plays the fixed scenario: changes, a cluster switch, the halt, recovery, the rest. Then it judges the deliveries.
 * @returns the exit code: 0 only if no change was lost or out of order
 */
export async function playOnce(say: (line: string) => void): Promise<number> {
  const startTime = Math.floor(Date.now() / 1000) - streamSeconds
  say('Starting DStore emulator, dynalite and serverless-offline …')
  const stack = await startStack(startTime, {
    POLL_MAX_RECORDS: String(recordsPerPoll),
    POLL_FETCH_BYTES: String(bytesPerFetch),
  })
  try {
    const { produced, halts, recoveries } = await play(stack, startTime, say)
    return await judge(stack, produced, halts, recoveries, say)
  } catch (error) {
    say(`The functions' log is ${stack.logFile}`)
    throw error
  } finally {
    await stack.stop()
  }
}

async function play(stack: LocalStack, startTime: number, say: (line: string) => void) {
  const { dstore } = stack
  const script = writeScript(startTime)
  const switchAt = script.findIndex((_, index) => countChanges(script.slice(0, index)) >= changesBeforeSwitch)
  await append(stack, script.slice(0, switchAt))
  say(`${countChanges(script.slice(0, switchAt))} changes are in the stream of cluster ${dstore.clusterId}.`)
  await pollOnce(stack)
  say(`Polled to offset ${(await stack.store.read())?.offset} of ${dstore.range.end}.`)

  const before = dstore.clusterId
  await dstore.switchCluster({ fromTimestamp: startTime + 60, firstOffset: 1_000_003n })
  await append(stack, script.slice(switchAt))
  say(`DTS failed over: cluster ${before} is now ${dstore.clusterId}, with other offsets.`)
  const halt = await pollUntil(stack, ({ ok }) => !ok)
  if (halt.ok) throw new Error('The poller did not notice that the cluster changed.')
  say(`The poller halted:  ${halt.message}`)
  const halts = (await stack.store.read())?.state === 'HALTED' ? 1 : 0

  const inspection = await ask(stack, { action: 'inspect' })
  say(`recovery inspect:   ${text(inspection, 'advice')}`)
  const plan = await ask(stack, { action: 'reset', dryRun: true })
  say(`recovery dry run:   ${text(plan, 'note')}`)
  await ask(stack, { action: 'reset', by: 'npm start', reason: 'cluster change of the scenario' })
  const resumed = await stack.store.read()
  say(`recovery reset:     generation ${resumed?.generation}, offset ${resumed?.offset}, ${resumed?.state}`)
  const recoveries = resumed?.ledger.filter(({ how }) => how.startsWith('reset')).length ?? 0

  await pollUntil(stack, (answer) => answer.ok && text(answer.result, 'ended') === 'end-of-stream')
  return { produced: script, halts, recoveries }
}

/** Transactions, a heartbeat for each second of source time, and one DDL statement. */
function writeScript(startTime: number): ShopRecord[] {
  const shop = new Shop()
  const script: ShopRecord[] = [shop.heartbeat(startTime)]
  let made = 0
  for (let second = startTime; made < changes; ) {
    const due = startTime + Math.floor((made / changes) * streamSeconds)
    while (second < due) script.push(shop.heartbeat(++second))
    const records =
      made > changes / 3 && made < changes / 3 + 7 ? [shop.ddl(second)] : shop.transaction(second)
    const room = changes - made
    const kept = countChanges(records) > room ? records.filter(takeChanges(room)) : records
    script.push(...kept)
    made += countChanges(kept)
  }
  return script
}

/** Keeps records up to the given number of changes, so that the scenario has exactly that many. */
function takeChanges(room: number): (record: ShopRecord) => boolean {
  let left = room
  return ({ change }) => change === undefined || left-- > 0
}

function countChanges(records: readonly ShopRecord[]): number {
  return records.reduce((count, { change }) => count + (change === undefined ? 0 : 1), 0)
}

/** Appends to the log in pieces, with filler between them. */
async function append({ dstore }: LocalStack, records: readonly ShopRecord[]): Promise<void> {
  for (let at = 0; at < records.length; at += 1_500) {
    await dstore.append(records.slice(at, at + 1_500))
    await dstore.filler(7)
  }
}

/** One run of the poller that did something. A scheduled run may be at work already. */
async function pollOnce(stack: LocalStack): Promise<Answer> {
  for (let attempt = 0; attempt < mostPolls; attempt++) {
    const answer = await stack.invoke('poller', {})
    if (!answer.ok || text(answer.result, 'ended') !== 'lease-held') return answer
    await sleep(1_000)
  }
  throw new Error('Another run holds the lease all the time. Is a second poller running?')
}

async function pollUntil(stack: LocalStack, enough: (answer: Answer) => boolean): Promise<Answer> {
  for (let attempt = 0; attempt < mostPolls; attempt++) {
    const answer = await pollOnce(stack)
    if (enough(answer)) return answer
    if (!answer.ok) throw new Error(`${answer.code}: ${answer.message}`)
  }
  throw new Error(`The poller did not reach the end in ${mostPolls} runs.`)
}

async function ask(stack: LocalStack, event: unknown): Promise<unknown> {
  const answer = await stack.invoke('recovery', event)
  if (!answer.ok) throw new Error(`recovery: ${answer.code}: ${answer.message}`)
  return answer.result
}

function text(value: unknown, name: string): string {
  const found: unknown = typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined
  return typeof found === 'string' ? found : ''
}

async function judge(
  stack: LocalStack,
  produced: readonly ShopRecord[],
  halts: number,
  recoveries: number,
  say: (line: string) => void,
): Promise<number> {
  const deliveries: Handled[] = await stack.handled.readNew()
  const tables = audit(produced, deliveries)
  const sum = total(tables)
  say('')
  say(row(['table', 'produced', 'handled', 'lost', 'out of order', 'duplicates']))
  for (const table of [...tables, { table: 'all', ...sum }]) say(tableRow(table))
  say(JSON.stringify({ ...sum, halts, recoveries }))
  const complete = sum.produced === changes && sum.lost === 0 && sum.outOfOrder === 0
  return complete && halts === 1 && recoveries === 1 ? 0 : 1
}

function tableRow({ table, produced, handled, lost, outOfOrder, duplicates }: TableAudit): string {
  return row([table, ...[produced, handled, lost, outOfOrder, duplicates].map(String)])
}

function row([name = '', ...cells]: readonly string[]): string {
  return name.padEnd(18) + cells.map((cell) => cell.padStart(14)).join('')
}
