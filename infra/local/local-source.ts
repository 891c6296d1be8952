import { UsageError } from '../operate/report.ts'
import type { Table } from '../tables.ts'

/** The stream that the local stack runs: a source of `custom.sources`, or the stream without a name (empty). */
export interface LocalSource {
  readonly source: string
  /** The other streams that have handlers. */
  readonly others: readonly string[]
}

/**
 * @param asked the name after `--source`; undefined: the stream without a name, or the only one with handlers
 * @param names the sources of serverless.yml
 * @throws UsageError, which names the sources to choose from
 */
export function localSource(
  asked: string | undefined,
  names: readonly string[],
  tables: readonly Pick<Table, 'source'>[],
): LocalSource {
  if (asked !== undefined && !names.includes(asked))
    throw new UsageError(`There is no source "${asked}": ${known(names)}.`)
  const handled = [...new Set(tables.map(({ source }) => source))].sort()
  if (asked !== undefined && !handled.includes(asked))
    throw new UsageError(
      `The source ${asked} has no handler, so nothing would run. Put its handlers into functions/tables/${asked}/.`,
    )
  const [first = '', ...more] = handled
  const source = asked ?? first
  // The stream without a name sorts first.
  if (asked === undefined && first !== '' && more.length > 0)
    throw new UsageError(
      `All handlers belong to named sources, and npm start runs one of them. Say which: ${handled.map(flag).join(' or ')}.`,
    )
  return { source, others: handled.filter((one) => one !== source) }
}

/** What a person sees at the start if handlers of other streams do not run; null if there are none. */
export function notRun({ others }: LocalSource): string | null {
  if (others.length === 0) return null
  const one = (source: string) =>
    source === '' ? 'the stream without a name (npm start)' : `${source} (npm start -- ${flag(source)})`
  return `Not run: the handlers of ${others.map(one).join(', ')}`
}

const flag = (source: string) => `--source ${source}`

function known(names: readonly string[]): string {
  return names.length === 0
    ? 'custom.sources in serverless.yml names none'
    : `custom.sources in serverless.yml has ${names.join(', ')}`
}
