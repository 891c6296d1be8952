import type { $ZodObject } from 'zod/v4/core'
import { type Batch, type BatchRecord, recordsOf } from '../dispatch/batch-format.ts'
import type { Change } from '../dts/change.ts'
import { decodeChange } from '../dts/decode-change.ts'
import { readHeader } from '../dts/header.ts'
import { changeFromJson } from '../dts/json.ts'
import { toSeconds } from '../time.ts'
import { checkRow } from './columns/row.ts'
import type { TableDefinition } from './definition.ts'
import type { FailedChange } from './failed-change.ts'

/** A change that is not decoded yet. Decoding them one by one lets the changes before a broken one be handled. */
export interface PendingChange {
  readonly offset: bigint
  decode(): Change
  /** Decodes all columns of the same change. */
  decodeAllColumns(): Change
}

export interface DecodedChange {
  readonly offset: bigint
  readonly change: Change
}

/** Decodes the records of a batch for one definition. */
export class RecordDecoder {
  /** One array for all records, because the decoder recognises a set of columns by identity. Undefined: all columns. */
  readonly #columns: readonly string[] | undefined
  readonly #replacesInvalidText: boolean

  constructor({ row, invalidText }: TableDefinition<$ZodObject>) {
    const { shape, catchall } = row._zod.def
    this.#columns = catchall !== undefined ? undefined : Object.keys(shape)
    this.#replacesInvalidText = invalidText === 'replace'
  }

  pendingOf(batch: Batch): PendingChange[] {
    return recordsOf(batch).map((record) => new PendingRecord(this, batch, record))
  }

  /** @param whole all columns, not only those of the definition */
  decode(batch: Batch, { offset, value }: BatchRecord, whole: boolean): Change {
    const header = readHeader(value)
    const replay = toSeconds(header.sourceTimestamp) <= batch.replayUntil
    const origin = { offset, generation: batch.generation, replay }
    return decodeChange(value, header, origin, whole ? undefined : this.#columns, this.#replacesInvalidText)
  }
}

class PendingRecord implements PendingChange {
  readonly offset: bigint
  readonly #decoder: RecordDecoder
  readonly #batch: Batch
  readonly #record: BatchRecord

  constructor(decoder: RecordDecoder, batch: Batch, record: BatchRecord) {
    this.offset = record.offset
    this.#decoder = decoder
    this.#batch = batch
    this.#record = record
  }

  decode(): Change {
    return this.#decoder.decode(this.#batch, this.#record, false)
  }

  decodeAllColumns(): Change {
    return this.#decoder.decode(this.#batch, this.#record, true)
  }
}

/** Changes in their JSON form. Their index serves as the offset. */
export function pendingByHand(changes: readonly unknown[]): PendingChange[] {
  return changes.map((json, index) => ({
    offset: BigInt(index),
    decode: () => changeFromJson(json),
    decodeAllColumns: () => changeFromJson(json),
  }))
}

/** Decodes a change and puts the declared row in the place of each image. */
export function decodePending(row: $ZodObject, pending: PendingChange): DecodedChange | FailedChange {
  const { offset } = pending
  let change: Change | undefined
  try {
    change = pending.decode()
    if (change.operation !== 'DDL') checkRow(row, change, pending)
    return { offset, change }
  } catch (error) {
    return { offset, ...(change === undefined ? {} : { change }), error }
  }
}
