import type { Figure, Row } from './result.ts'

/** Four digits at most, and no more than needed. */
export function formatNumber(value: number): string {
  const digits = value === 0 ? 0 : Math.floor(Math.log10(Math.abs(value)))
  const maximumFractionDigits = Math.min(Math.max(2 - digits, 0), 4)
  return new Intl.NumberFormat('en', { maximumFractionDigits }).format(value)
}

/** The median, and the spread unless all rounds gave the same. */
export function formatFigure({ median, low, high }: Figure): string {
  const [middle, ...ends] = [median, low, high].map(formatNumber)
  return ends.every((end) => end === middle) ? `${middle}` : `${middle} (${ends.join('–')})`
}

export function columnsOf(rows: readonly Row[]): readonly string[] {
  return [...new Set(rows.flatMap(({ figures }) => Object.keys(figures)))]
}

/** A table in Markdown that is also readable in a terminal. */
export function formatTable(rows: readonly Row[]): string {
  const columns = columnsOf(rows)
  const cells = [
    ['', ...columns],
    ...rows.map(({ name, figures }) => [
      name,
      ...columns.map((column) => (figures[column] === undefined ? '' : formatFigure(figures[column]))),
    ]),
  ]
  const widths = cells[0]?.map((_, at) => Math.max(3, ...cells.map((line) => line[at]?.length ?? 0))) ?? []
  const lines = cells.map((line) => `| ${line.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join(' | ')} |`)
  lines.splice(1, 0, `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`)
  return lines.join('\n')
}
