/**
 * Reads a stream and does a part of the poller's work with each record. The smallest part only takes the bytes from the
 * socket: no client can cost less.
 */
import { decodeChange } from '../../lib/dts/decode-change.ts'
import { carriesChange, readHeader, scanHeader } from '../../lib/dts/header.ts'
import { openStream } from '../../lib/kafka/open-stream.ts'
import type { LogRecords } from '../../lib/kafka/records.ts'
import { testConfig } from '../../test/support/test-config.ts'
import { answerCalls } from '../ground/calls.ts'
import { FetchSocket } from './fetch-socket.ts'
import { type Usage, usage } from './usage.ts'

export type Part = 'limit' | 'batches' | 'headers' | 'decoded'

const config = testConfig({ ...process.env, ROUTES: '{}' })
const asked: readonly string[] = ['id', 'status', 'total']
const origin = { offset: 0n, generation: 0, replay: false }

const parts: Readonly<Record<Exclude<Part, 'limit'>, (records: LogRecords, at: number) => unknown>> = {
  batches: () => {},
  headers: (records, at) => scanHeader(records.bytes(at), records.start(at), records.end(at)).operation,
  decoded(records, at) {
    const bytes = records.bytes(at).subarray(records.start(at), records.end(at))
    const header = readHeader(bytes)
    return carriesChange(header.operation) ? decodeChange(bytes, header, origin, asked) : null
  },
}

/** Reads the stream from its beginning, again and again. */
async function read({ part, records }: { part: Part; records: number }): Promise<Usage> {
  if (part === 'limit') await drop(records)
  else await work(parts[part], records)
  return usage()
}

async function work(part: (records: LogRecords, at: number) => unknown, count: number): Promise<void> {
  const password = process.env.DTS_PASSWORD ?? ''
  const stream = await openStream(config, { username: config.user ?? '', password })
  const bounds = { maxBytes: config.fetchBytes, maxWaitMs: 0 }
  let done = 0
  let next = 0n
  let ahead = stream.fetch(next, bounds)
  while (done < count) {
    const { records, nextOffset, end, free } = await ahead
    next = nextOffset < end ? nextOffset : 0n
    // As the poller: the broker sends the next answer while this one is processed.
    ahead = stream.fetch(next, bounds)
    for (let at = 0; at < records.length; at++) part(records, at)
    done += records.length
    free()
  }
  await stream.close()
}

/** Takes as many bytes from the socket as the answers with so many records have, and drops them. */
async function drop(records: number): Promise<void> {
  const password = process.env.DTS_PASSWORD ?? ''
  const socket = await FetchSocket.open(config, { username: config.user ?? '', password })
  let left = records * Number(process.env.BENCH_WIRE_BYTES)
  while (left > 0) left -= await socket.fetch(config.fetchBytes)
  socket.close()
}

const answers = { read }
export type Reader = typeof answers
answerCalls(answers)
