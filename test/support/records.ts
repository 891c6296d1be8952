import { encodeRecord, integer, type PlainRecord, text } from '../../infra/local/encode.ts'
import type { NewRecord } from './parts.ts'

/** The time of the first record of every test, in seconds. */
export const t0 = 1_700_000_000

const fields = [
  ['id', 8],
  ['status', 253],
  ['unread', 253],
] as const

/** Writes the records of one source. Two writers with different names write the same changes differently. */
export class Writer {
  readonly #name: string
  #count = 0

  constructor(name = 'binlog') {
    this.#name = name
  }

  insert(table: string, id: number, seconds: number): NewRecord {
    return this.#record({ operation: 'INSERT', objectName: table, fields, after: row(id, 'new') }, seconds)
  }

  /** One of several equal rows that one statement writes into a table without a key. */
  equalInsert(table: string, id: number, seconds: number): NewRecord {
    const value = encodeRecord({
      operation: 'INSERT',
      objectName: table,
      fields,
      after: row(id, 'new'),
      sourceTimestamp: seconds,
      sourcePosition: `equal@${this.#name}`,
      sourceTxid: `${this.#name}-equal`,
    })
    return { value, timestamp: seconds }
  }

  update(table: string, id: number, seconds: number): NewRecord {
    const images = { before: row(id, 'new'), after: row(id, 'paid') }
    return this.#record({ operation: 'UPDATE', objectName: table, fields, ...images }, seconds)
  }

  delete(table: string, id: number, seconds: number): NewRecord {
    return this.#record({ operation: 'DELETE', objectName: table, fields, before: row(id, 'paid') }, seconds)
  }

  ddl(objectName: string | null, statement: string, seconds: number): NewRecord {
    return this.#record({ operation: 'DDL', objectName, after: statement }, seconds)
  }

  /** A record that reaches no handler. */
  mark(operation: 'BEGIN' | 'COMMIT' | 'HEARTBEAT' | 'NOOP', seconds: number): NewRecord {
    return this.#record({ operation }, seconds)
  }

  /** Inserts with the ids from `from` to `to`, one each second from `seconds` on. */
  inserts(table: string, from: number, to: number, seconds = t0 + from): NewRecord[] {
    return Array.from({ length: to - from + 1 }, (_, i) => this.insert(table, from + i, seconds + i))
  }

  #record(plain: PlainRecord, seconds: number): NewRecord {
    this.#count += 1
    const value = encodeRecord({
      ...plain,
      id: BigInt(this.#count),
      sourceTimestamp: seconds,
      sourcePosition: `${this.#count * 100}@${this.#name}`,
      sourceTxid: `${this.#name}-${this.#count}`,
      tags: { pk_uk_info: '{"PRIMARY":["id"]}' },
    })
    return { value, timestamp: seconds }
  }
}

/** The current time in UNIX seconds. */
export function now(): number {
  return Math.floor(Date.now() / 1000)
}

/** A heartbeat of now, as a healthy task writes it. */
export function alive(): NewRecord {
  return new Writer('heartbeats').mark('HEARTBEAT', now())
}

function row(id: number, status: string) {
  return [integer(id), text(status), text('never asked for')]
}

/** Fillers: values that only move the offset. */
export function filler(seconds: number): NewRecord[] {
  return [null, Buffer.alloc(1), Buffer.alloc(2)].map((value) => ({ value, timestamp: seconds }))
}

/**
 * Records that only a new cluster has before the shared ones, so that the same changes have other offsets. There are five,
 * and one more each round.
 */
export function shift(round = 0): NewRecord[] {
  const write = new Writer(`shift ${round}`)
  return [
    ...filler(t0 - 60),
    write.insert('shop.sessions', 1, t0 - 60),
    ...Array.from({ length: 1 + round }, (_, i) => write.mark('HEARTBEAT', t0 - 60 + i)),
  ]
}

export function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, i) => from + i)
}
