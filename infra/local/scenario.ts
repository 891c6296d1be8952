import { setTimeout as sleep } from 'node:timers/promises'
import type { CheckpointStore } from '../../lib/checkpoint/store.ts'
import { audit, type TableAudit, total } from './audit.ts'
import type { ObservationFile } from './observations.ts'
import { Shop, type ShopRecord } from './shop.ts'
import type { Answer } from './stack.ts'

/** The stream of the scenario. */
export interface ScenarioStream {
  readonly clusterId: string
  append(records: readonly ShopRecord[]): Promise<unknown>
  /** Appends records without content. */
  filler(count: number): Promise<unknown>
  /** From now on another cluster answers. It has the records from this time (seconds) on, at other offsets. */
  switchCluster(fromTimestamp: number): Promise<void>
  /** The offset after the last record. */
  end(): Promise<bigint> | bigint
}

/** The parts that the scenario needs: the stream, and the functions that read it. */
export interface Stage {
  readonly stream: ScenarioStream
  readonly store: CheckpointStore
  readonly observed: ObservationFile
  /** The tables of the shop whose changes a handler must get; those of the example handlers if left out. */
  readonly handledTables?: readonly string[]
  invoke(name: 'poller' | 'recovery', event: unknown): Promise<Answer>
}

/** The number of changes of handled tables in the scenario. */
const changes = 10_000
/** The number of these in the stream when the cluster fails over. */
const changesBeforeSwitch = 6_000
/**
 * Bounds of a run. One run reads at most about this many records, so that the switch happens in the middle of the work. Small
 * answers, so that a run does not read far past the bound.
 */
export const scenarioSettings = { POLL_MAX_RECORDS: '4000', POLL_FETCH_BYTES: String(128 * 1024) }
/** The span of source time of the changes, in seconds. */
export const streamSeconds = 900
/** More runs than the scenario needs. A poller that never reaches the end must not hang the command. */
const mostPolls = 50

/**
 * Plays the scenario: changes, a cluster switch, the halt, recovery, the rest. Then it judges the deliveries.
 * @param startTime the time of the first record, in seconds
 * @returns true only if no change was lost or out of order, with one halt and one recovery
 */
export async function playScenario(
  stage: Stage,
  startTime: number,
  say: (line: string) => void,
): Promise<boolean> {
  const { produced, halts, recoveries } = await play(stage, startTime, say)
  return judge(stage, produced, halts, recoveries, say)
}

async function play(stage: Stage, startTime: number, say: (line: string) => void) {
  const { stream } = stage
  const script = writeScript(startTime, stage.handledTables)
  const switchAt = script.findIndex((_, index) => countChanges(script.slice(0, index)) >= changesBeforeSwitch)
  await append(stage, script.slice(0, switchAt))
  say(`${countChanges(script.slice(0, switchAt))} changes are in the stream of cluster ${stream.clusterId}.`)
  const first = await pollOnce(stage)
  if (!first.ok) throw new Error(`${first.code}: ${first.message}`)
  say(`Polled to offset ${(await stage.store.read())?.offset} of ${await stream.end()}.`)

  const before = stream.clusterId
  await stream.switchCluster(startTime + 60)
  await append(stage, script.slice(switchAt))
  say(`DTS failed over: cluster ${before} is now ${stream.clusterId}, with other offsets.`)
  const halt = await pollUntil(stage, ({ ok }) => !ok)
  if (halt.ok) throw new Error('The poller did not notice that the cluster changed.')
  say(`The poller halted:  ${halt.message}`)
  const halts = (await stage.store.read())?.state === 'HALTED' ? 1 : 0

  const inspection = await ask(stage, { action: 'inspect' })
  say(`recovery inspect:   ${text(inspection, 'advice')}`)
  const plan = await ask(stage, { action: 'reset', dryRun: true })
  say(`recovery dry run:   ${text(plan, 'note')}`)
  await ask(stage, { action: 'reset', by: 'npm start', reason: 'cluster change of the scenario' })
  const resumed = await stage.store.read()
  say(`recovery reset:     generation ${resumed?.generation}, offset ${resumed?.offset}, ${resumed?.state}`)
  const recoveries = resumed?.ledger.filter(({ how }) => how.startsWith('reset')).length ?? 0

  await pollUntil(stage, (answer) => answer.ok && text(answer.result, 'ended') === 'end-of-stream')
  return { produced: script, halts, recoveries }
}

/** Transactions, a heartbeat for each second of source time, and one DDL statement. */
function writeScript(startTime: number, handledTables: readonly string[] | undefined): ShopRecord[] {
  const shop = new Shop(1, handledTables)
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
async function append({ stream }: Stage, records: readonly ShopRecord[]): Promise<void> {
  for (let at = 0; at < records.length; at += 1_500) {
    await stream.append(records.slice(at, at + 1_500))
    await stream.filler(7)
  }
}

/** One run of the poller that did something. A scheduled run may be at work already. */
async function pollOnce(stage: Stage): Promise<Answer> {
  for (let attempt = 0; attempt < mostPolls; attempt++) {
    const answer = await stage.invoke('poller', {})
    if (!answer.ok || text(answer.result, 'ended') !== 'lease-held') return answer
    await sleep(1_000)
  }
  throw new Error('Another run holds the lease all the time. Is a second poller running?')
}

async function pollUntil(stage: Stage, enough: (answer: Answer) => boolean): Promise<Answer> {
  for (let attempt = 0; attempt < mostPolls; attempt++) {
    const answer = await pollOnce(stage)
    if (enough(answer)) return answer
    if (!answer.ok) throw new Error(`${answer.code}: ${answer.message}`)
  }
  throw new Error(`The poller did not reach the end in ${mostPolls} runs.`)
}

async function ask(stage: Stage, event: unknown): Promise<unknown> {
  const answer = await stage.invoke('recovery', event)
  if (!answer.ok) throw new Error(`recovery: ${answer.code}: ${answer.message}`)
  return answer.result
}

function text(value: unknown, name: string): string {
  const found: unknown = typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined
  return typeof found === 'string' ? found : ''
}

async function judge(
  stage: Stage,
  produced: readonly ShopRecord[],
  halts: number,
  recoveries: number,
  say: (line: string) => void,
): Promise<boolean> {
  const deliveries = (await stage.observed.readNew()).filter((one) => one.kind === 'handled')
  const tables = audit(produced, deliveries)
  const sum = total(tables)
  say('')
  say(row(['table', 'produced', 'handled', 'lost', 'out of order', 'duplicates']))
  for (const table of [...tables, { table: 'all', ...sum }]) say(tableRow(table))
  say(JSON.stringify({ ...sum, halts, recoveries }))
  const complete = sum.produced === changes && sum.lost === 0 && sum.outOfOrder === 0
  return complete && halts === 1 && recoveries === 1
}

function tableRow({ table, produced, handled, lost, outOfOrder, duplicates }: TableAudit): string {
  return row([table, ...[produced, handled, lost, outOfOrder, duplicates].map(String)])
}

function row([name = '', ...cells]: readonly string[]): string {
  return name.padEnd(18) + cells.map((cell) => cell.padStart(14)).join('')
}
