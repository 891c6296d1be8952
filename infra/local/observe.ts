/**
 * Loaded into the local processes that run the functions (`node --import`). Writes a JSON line for each change that a handler
 * starts, finishes or fails at, and for each error that no code caught. So the local stack knows what handlers really did.
 */
import { subscribe } from 'node:diagnostics_channel'
import { appendFileSync } from 'node:fs'
import { isMainThread, threadId } from 'node:worker_threads'
import type { Change } from '../../lib/dts/change.ts'
import { failedChannel, handledChannel, startedChannel } from '../../lib/handler/diagnostics.ts'
import { describeThrown } from '../../lib/text/thrown.ts'
import { placeIn } from './place-in-stack.ts'

interface Message {
  /** What the handler declares. */
  readonly table: string
  readonly offset: bigint
  readonly change?: Change
  readonly error: unknown
  readonly remainingMs: number
}

const file = process.env.LOCAL_OBSERVATION_FILE

if (file !== undefined) {
  subscribe(startedChannel, (message) => {
    const { remainingMs } = message as Message
    write({ kind: 'started', ...described(message as Message), until: Date.now() + remainingMs })
  })
  subscribe(handledChannel, (message) => {
    const { change } = message as Message
    write({
      kind: 'handled',
      ...described(message as Message),
      id: String(change?.id),
      replay: change?.replay,
    })
  })
  subscribe(failedChannel, (message) => {
    const { error } = message as Message
    write({ kind: 'failed', ...described(message as Message), error: shown(error) })
  })
  // Without a listener, such an error ends serverless-offline with all functions. Lambda ends the one process and starts another.
  if (!isMainThread)
    process.on('uncaughtException', (error) => write({ kind: 'crashed', error: shown(error) }))
}

function write(observation: object): void {
  const common = { worker: threadId, function: process.env.AWS_LAMBDA_FUNCTION_NAME ?? '' }
  const line = JSON.stringify({ ...common, ...observation })
  const ascii = line.replace(/[^ -~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
  appendFileSync(file ?? '', `${ascii}\n`)
}

function described({ table, offset, change }: Message) {
  return {
    table: change?.table ?? table,
    operation: change?.operation ?? null,
    key: change === undefined ? '' : keyOf(change),
    offset: String(change?.offset ?? offset),
    generation: change?.generation ?? 0,
  }
}

function keyOf(change: Change): string {
  if (change.operation === 'DDL') return ''
  const row = 'after' in change ? change.after : change.before
  // The handler may not have declared the columns of the key.
  const known = change.keys.filter((name) => row[name] !== undefined)
  return known.map((name) => `${name}=${String(row[name])}`).join(' ')
}

function shown(thrown: unknown) {
  const { name, message, stack = '' } = describeThrown(thrown)
  return { name, message, place: placeIn(stack) }
}
