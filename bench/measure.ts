import type { Figure, Row } from './result.ts'

/** NaN if there are no values. */
export function median(values: readonly number[]): number {
  return percentile(values, 0.5)
}

export function percentile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN
}

/** @param values one for each round */
export function figure(values: readonly number[]): Figure {
  const round = (value: number) => Number(value.toPrecision(4))
  return {
    median: round(median(values)),
    low: round(Math.min(...values)),
    high: round(Math.max(...values)),
  }
}

export interface Variant<Sample> {
  readonly name: string
  readonly measure: (round: number) => Sample | Promise<Sample>
}

export interface Column<Sample> {
  readonly name: string
  readonly of: (sample: Sample) => number
  /** The name of the row that is 1 in each round. Absent: the value itself. A function chooses the row for each row. */
  readonly against?: string | ((name: string) => string)
}

/**
 * Measures all variants in turn, round after round. Other load on the machine then affects all alike, and a ratio within
 * a round says more than two figures.
 */
export async function measureInTurn<Sample>(
  variants: readonly Variant<Sample>[],
  rounds: number,
  columns: readonly Column<Sample>[],
): Promise<Row[]> {
  const samples = new Map<string, Sample[]>(variants.map(({ name }) => [name, []]))
  for (let round = 0; round < rounds; round++) {
    for (const { name, measure } of variants) samples.get(name)?.push(await measure(round))
  }
  return variants.map(({ name }) => ({
    name,
    figures: Object.fromEntries(
      columns.map((column) => [column.name, figure(valuesOf(column, name, samples))]),
    ),
  }))
}

function valuesOf<Sample>(
  { of, against }: Column<Sample>,
  name: string,
  samples: ReadonlyMap<string, readonly Sample[]>,
): number[] {
  const own = (samples.get(name) ?? []).map(of)
  if (against === undefined) return own
  const other = samples.get(typeof against === 'string' ? against : against(name)) ?? []
  return own.map((value, round) => value / (other[round] === undefined ? Number.NaN : of(other[round])))
}
