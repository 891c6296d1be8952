import * as z from 'zod'
import { changeFromJson } from '../../../lib/dts/json.ts'
import { isObject, markInexact } from '../../../lib/dts/json-values.ts'
import { isDtsError } from '../../../lib/errors.ts'
import type { ShopRecord } from '../shop.ts'
import { type ChangeEncoder, FeedFault } from './encode-change.ts'

/** A line that is not a change, or the first line of a statement that no script can have. */
export interface FaultyLine {
  /** Counted from 1. */
  readonly line: number
  readonly reason: string
}

export interface Feed {
  readonly records: readonly ShopRecord[]
  /** How many of the records are changes. */
  readonly changes: number
  readonly faults: readonly FaultyLine[]
}

const typesSchema = z.record(z.string(), z.string())

/**
 * Reads changes in their JSON form, one on each line. The member `columns` may name the types of columns.
 * @param now in seconds
 */
export function readFeed(text: string, encoder: ChangeEncoder, now: number): Feed {
  const records: ShopRecord[] = []
  const faults: FaultyLine[] = []
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue
    try {
      const { columns = {}, change } = split(line)
      records.push(encoder.encode(changeFromJson(change), columns, now))
    } catch (error) {
      if (!isDtsError(error) && !(error instanceof FeedFault)) throw error
      faults.push({ line: index + 1, reason: error.message })
    }
  }
  return { records, changes: records.length, faults }
}

function split(line: string): { readonly columns?: Record<string, string>; readonly change: unknown } {
  let json: unknown
  try {
    json = JSON.parse(line, markInexact)
  } catch {
    // The engine's message quotes the line.
    const isNpm = line.startsWith('> ')
    throw new FeedFault(
      `it is not JSON text${isNpm ? ', but a line of npm: record with npm run --silent tail' : ''}`,
    )
  }
  if (!isObject(json)) return { change: json }
  const { columns, ...change }: { readonly columns?: unknown } = json
  if (columns === undefined) return { change }
  const types = typesSchema.safeParse(columns)
  if (!types.success)
    throw new FeedFault('columns: an object of column types is needed, such as {"id":"bigint"}')
  return { columns: types.data, change }
}
