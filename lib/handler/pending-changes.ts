import type { $ZodObject } from 'zod/v4/core'
import { type Batch, recordsOf } from '../dispatch/batch-format.ts'
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
  readonly decode: () => Change
  /** Decodes all columns of the same change. */
  readonly decodeAllColumns: () => Change
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
    return recordsOf(batch).map(({ offset, value }) => ({
      offset,
      decode: () => this.#decode(batch, offset, value, this.#columns),
      decodeAllColumns: () => this.#decode(batch, offset, value, undefined),
    }))
  }

  #decode(batch: Batch, offset: bigint, bytes: Buffer, columns: readonly string[] | undefined): Change {
    const header = readHeader(bytes)
    const replay = toSeconds(header.sourceTimestamp) <= batch.replayUntil
    const origin = { offset, generation: batch.generation, replay }
    return decodeChange(bytes, header, origin, columns, this.#replacesInvalidText)
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
export function decodePending(
  row: $ZodObject,
  { offset, decode, decodeAllColumns }: PendingChange,
): DecodedChange | FailedChange {
  let change: Change | undefined
  try {
    change = decode()
    if (change.operation !== 'DDL') checkRow(row, change, decodeAllColumns)
    return { offset, change }
  } catch (error) {
    return { offset, ...(change === undefined ? {} : { change }), error }
  }
}
