import { DtsError } from '../../../lib/errors.ts'
import { ChangeEncoder } from './encode-change.ts'
import { shopTables } from './known-tables.ts'
import { type Feed, readFeed } from './read-feed.ts'
import { Scripts } from './sql/script.ts'

/** How a feed is written: a change in JSON on each line, or a script. */
export const feedForms = ['jsonl', 'sql'] as const
export type FeedForm = (typeof feedForms)[number]

export function formOf(file: string): FeedForm {
  return /\.sql$/i.test(file) ? 'sql' : 'jsonl'
}

/** Reads all feeds of a local stack, so that a script finds the rows of the scripts before it. */
export class FeedReader {
  readonly #encoder = new ChangeEncoder(shopTables)
  readonly #scripts = new Scripts(this.#encoder, shopTables)

  /** @param now in seconds, for changes that do not say their time */
  read(text: string, form: FeedForm, now: number): Feed {
    return form === 'sql' ? this.#scripts.play(text, now) : readFeed(text, this.#encoder, now)
  }

  /** @throws DtsError CHANGE_JSON_INVALID with each faulty line */
  readWhole(file: string, text: string, now: number): Feed {
    const feed = this.read(text, formOf(file), now)
    if (feed.faults.length > 0) throw refuseFeed(file, feed.faults)
    return feed
  }
}

const shownFaults = 10

/** The refusal of a file, which names each faulty line. */
export function refuseFeed(file: string, faults: Feed['faults']): DtsError {
  const isScript = formOf(file) === 'sql'
  const part = isScript ? 'statement' : 'line'
  const problem = isScript ? 'not one that a script can have' : 'no change'
  const count = faults.length === 1 ? `a ${part} that is` : `${faults.length} ${part}s that are`
  const lines = faults.slice(0, shownFaults).map(({ line, reason }) => `${file}:${line}: ${reason}`)
  const more = faults.length > shownFaults ? [`and ${faults.length - shownFaults} more`] : []
  return new DtsError(
    'CHANGE_JSON_INVALID',
    [`${file} has ${count} ${problem}, so no ${part} of it was sent.`, ...lines, ...more].join('\n'),
    { retryable: false, facts: { lines: faults.length } },
  )
}
