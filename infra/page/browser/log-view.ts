import { html, nothing, svg, type TemplateResult } from 'lit-html'
import type { ShownCheckpoint, ShownLog } from '../messages.ts'
import { count, seconds, time } from './format.ts'
import type { State } from './store.ts'

/** What the broker still has: by offset and by time, with the checkpoint in both. */
export function logView({ view }: State): TemplateResult {
  if (view === null) return html`<p class="quiet">Waiting for the stream …</p>`
  const { log, checkpoint, now } = view
  if (log === null) return html`<p class="quiet">The log is not known.</p>`
  const [earliest, end] = [BigInt(log.earliest), BigInt(log.end)]
  const place = checkpoint === null ? null : placeIn(checkpoint, log.clusterId, earliest, end)
  return html`
    ${bar(place?.share ?? null, place?.text ?? 'no checkpoint yet')}
    <p class="ends"><span>offset ${log.earliest}</span><span>next offset ${log.end}</span></p>
    <p>Cluster <code>${log.clusterId}</code> holds ${count(Number(end - earliest), 'record')}. ${place?.text ?? 'The stream has no checkpoint yet.'}</p>
    ${timesView(log, checkpoint, now)}`
}

/** Data that was handled, the checkpoint, and data that waits. @param share of the bar before the checkpoint; null: it is not in it */
function bar(share: number | null, label: string): TemplateResult {
  const x = 1_000 * (share ?? 0)
  return html`
    <svg class="log" viewBox="0 0 1000 26" preserveAspectRatio="none" role="img" aria-label=${label}>
      ${svg`<rect class="waiting" x="0" y="6" width="1000" height="14" rx="3"></rect>
        <rect class="done" x="0" y="6" width=${x} height="14" rx="3"></rect>
        ${share === null ? nothing : svg`<rect class="marker" x=${Math.min(997, Math.max(0, x - 1.5))} y="0" width="3" height="26"></rect>`}`}
    </svg>`
}

/** The time to loss: how much older the first readable record is than the checkpoint. */
function timesView(
  { times, reserve, isBounded }: ShownLog,
  checkpoint: ShownCheckpoint | null,
  now: number,
): TemplateResult | typeof nothing {
  if (times === null) return nothing
  const end = Math.max(now, times.last)
  const share =
    checkpoint === null || end === times.first ? null : (checkpoint.at - times.first) / (end - times.first)
  const text = lossText(reserve, isBounded)
  return html`
    <div id="time-to-loss">
      ${bar(share !== null && share >= 0 && share <= 1 ? share : null, text)}
      <p class="ends"><span>first record ${time(times.first, now)}</span><span>now</span></p>
      <p>${text}</p>
    </div>`
}

function lossText(reserve: number | null, isBounded: boolean): string {
  if (reserve === null) return 'The time until records are lost is unknown.'
  if (reserve < 0)
    return `The log begins ${seconds(-reserve)} after the time of the checkpoint. That alone is no loss: Inspect says whether there is one.`
  const length = seconds(reserve)
  return isBounded
    ? `Time to loss: at least ${length}. The first record is that much older than the checkpoint. A stream that halts for longer can lose changes.`
    : `The first record is ${length} older than the checkpoint. DTS would drop records by their age; the local log keeps what is not handled.`
}

interface Place {
  /** Of the range, from 0 to 1; null if the checkpoint is no place in this log. */
  readonly share: number | null
  readonly text: string
}

function placeIn(checkpoint: ShownCheckpoint, clusterId: string, earliest: bigint, end: bigint): Place {
  const offset = BigInt(checkpoint.offset)
  if (checkpoint.clusterId !== clusterId) {
    return {
      share: null,
      text: `The checkpoint is offset ${offset} of cluster ${checkpoint.clusterId}: it means nothing in this log.`,
    }
  }
  if (offset < earliest)
    return { share: null, text: `The checkpoint, offset ${offset}, is below the first readable record.` }
  if (offset > end) return { share: null, text: `The checkpoint, offset ${offset}, is above the log's end.` }
  const share = end === earliest ? 1 : Number(offset - earliest) / Number(end - earliest)
  const left = end - offset
  const rest = left === 0n ? 'every record is done' : `${count(Number(left), 'record')} after it`
  return { share, text: `The checkpoint is at offset ${offset}: ${rest}.` }
}
