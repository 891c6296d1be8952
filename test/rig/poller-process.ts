/**
 * A poller as a process: starts `poll` run after run, like a warm function with a schedule without pauses. Reads the
 * poller's environment and one argument, `PollerTimes` in JSON. Prints each run as a `PollerRun` in one JSON line.
 */
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { CheckpointStore } from '../../lib/checkpoint/store.ts'
import { connections } from '../../lib/connect/clients.ts'
import { handlerClient } from '../../lib/connect/handler-client.ts'
import { lambdaInvoke } from '../../lib/dispatch/invoke.ts'
import { DtsError } from '../../lib/errors.ts'
import type { LeaseMargins } from '../../lib/poll/dependencies.ts'
import { poll } from '../../lib/poll/poll.ts'
import { testConfig } from '../support/test-config.ts'

/** In milliseconds. Shorter than Lambda's, so that a test need not wait half a minute for a lease to run out. */
export interface PollerTimes {
  readonly handlerTimeoutMs: number
  readonly margins: LeaseMargins
  readonly clockSkewMs: number
  /** The longest run, like the poller's Lambda timeout. */
  readonly runMs: number
  /** The pause between two runs. */
  readonly pauseMs: number
}

export interface PollerRun {
  readonly run: number
  /** `ended` of the summary, or `error`. */
  readonly ended: string
  readonly error?: string
}

const times: PollerTimes = JSON.parse(process.argv[2] ?? '')
const config = { ...testConfig(process.env), handlerTimeoutMs: times.handlerTimeoutMs }
const { openStream } = connections(config)
const parts = {
  config,
  openStream,
  store: new CheckpointStore(
    new DynamoDBClient({}),
    config.checkpointTable,
    config.topic,
    config.partition ?? 0,
    times.clockSkewMs,
  ),
  invoke: lambdaInvoke(handlerClient(config.handlerTimeoutMs)),
  putAside: async () => {
    throw new DtsError(
      'DEAD_LETTER_FAILED',
      'No handler of this test sends a change to the dead-letter queue.',
      {
        retryable: false,
      },
    )
  },
  now: Date.now,
  random: Math.random,
  sleep: (milliseconds: number, signal: AbortSignal) =>
    sleep(milliseconds, undefined, { signal }).catch(() => {}),
  margins: times.margins,
}

/** A waiting poller ends this way again and again. Only the first of a series is printed. */
const idle = new Set(['lease-held', 'end-of-stream'])

let last = ''
for (let run = 1; ; run++) {
  const endsAt = Date.now() + times.runMs
  const { signal } = new AbortController()
  const owner = `${process.pid}/${randomUUID()}`
  const end: PollerRun = await poll({ ...parts, remainingMs: () => endsAt - Date.now(), owner, signal }).then(
    ({ ended }) => ({ run, ended }),
    (error: unknown) => ({ run, ended: 'error', error: String(error) }),
  )
  if (!(idle.has(end.ended) && end.ended === last)) console.log(JSON.stringify(end))
  last = end.ended
  await sleep(times.pauseMs)
}
