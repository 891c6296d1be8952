import { html, nothing, svg, type TemplateResult } from 'lit-html'
import type { PageView, ShownCheckpoint } from '../messages.ts'
import type { Actions } from './actions.ts'
import { count, number, rate, seconds, time } from './format.ts'
import { ratesOf, type State } from './store.ts'

/** The line at the top: state, lag, position. */
export function statusView({ view, isConnected, samples }: State): TemplateResult {
  const checkpoint = view?.checkpoint ?? null
  const state = checkpoint?.state ?? 'STARTING'
  const lag = samples.at(-1)?.lag ?? null
  return html`
    <h1>dts-functions <span class="quiet">local stack</span></h1>
    <p class="badge ${state.toLowerCase()}" id="state" role="status">${state}</p>
    <dl>
      <div><dt>lag</dt><dd>${lag === null ? '–' : seconds(lag)}</dd></div>
      <div><dt>checkpoint</dt><dd>${checkpoint?.offset ?? 'none yet'}</dd></div>
      <div><dt>generation</dt><dd>${checkpoint === null ? '–' : checkpoint.generation}</dd></div>
    </dl>
    ${isConnected ? nothing : html`<p class="badge halted" role="alert">not connected</p>`}`
}

/** Why the stream does not run, with the steps that end it. */
export function haltView(state: State, actions: Actions): TemplateResult | typeof nothing {
  const { view, advice, isBusy } = state
  const halt = view?.checkpoint?.halt ?? null
  const isPresent = advice !== null && advice.haltAt === (halt?.at ?? null)
  if (halt === null && !isPresent) return nothing
  return html`
    <div class="panel ${halt === null ? '' : 'alarm'}">
      ${
        halt === null || view === null
          ? html`<h2>Recovery says</h2>`
          : html`<h2>${view.checkpoint?.state === 'PAUSED' ? 'Paused' : 'Halted'}: <code>${halt.code}</code>
              <span class="quiet">since ${time(halt.at, view.now)}</span></h2>
            <p>${halt.message}</p>
            ${halt.hint === null ? nothing : html`<p>${halt.hint}</p>`}`
      }
      ${
        isPresent
          ? html`<p class="lines" id="advice">${advice.told.text}</p>
            <ul class="steps">${advice.told.steps.map(({ text, id }) =>
              id === null
                ? html`<li>${text}</li>`
                : html`<li><button ?disabled=${isBusy} @click=${() => actions.plan(id)}>Plan: ${text}</button></li>`,
            )}</ul>`
          : html`<p class="quiet">Asking recovery what to do …</p>`
      }
    </div>`
}

/** The readable offsets, with the checkpoint drawn in them. */
export function logView({ view }: State): TemplateResult {
  if (view === null) return html`<p class="quiet">Waiting for the stream …</p>`
  const { log, checkpoint } = view
  const [earliest, end] = [BigInt(log.earliest), BigInt(log.end)]
  const place = checkpoint === null ? null : placeIn(checkpoint, log.clusterId, earliest, end)
  const isInside = place !== null && place.share !== null
  const x = isInside ? 1_000 * (place.share ?? 0) : 0
  return html`
    <svg class="log" viewBox="0 0 1000 26" preserveAspectRatio="none" role="img" aria-label=${place?.text ?? 'no checkpoint yet'}>
      ${svg`<rect class="waiting" x="0" y="6" width="1000" height="14" rx="3"></rect>
        <rect class="done" x="0" y="6" width=${x} height="14" rx="3"></rect>
        ${isInside ? svg`<rect class="marker" x=${Math.min(997, Math.max(0, x - 1.5))} y="0" width="3" height="26"></rect>` : nothing}`}
    </svg>
    <p class="ends"><span>offset ${log.earliest}</span><span>next offset ${log.end}</span></p>
    <p>Cluster <code>${log.clusterId}</code> holds ${count(Number(end - earliest), 'record')}. ${place?.text ?? 'The stream has no checkpoint yet.'}</p>`
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

/** Counts and rates by table. */
export function tablesView({ view, samples }: State): TemplateResult {
  if (view === null || view.tables.length === 0) return html`<p class="quiet">No table has been seen yet.</p>`
  const recent = samples.slice(-6)
  return html`
    <table>
      <thead><tr><th>table</th><th class="n">handled</th><th class="n">rate</th><th class="n">replays</th><th>last change</th></tr></thead>
      <tbody>${view.tables.map((line) =>
        line.note === null
          ? html`<tr>
            <th scope="row">${line.table}</th>
            <td class="n">${number(line.handled)}</td>
            <td class="n">${rate(ratesOf(recent, line.table).at(-1) ?? 0)}</td>
            <td class="n">${number(line.replays)}</td>
            <td>${line.lastOffset === '' ? '–' : html`${line.lastOperation} <span class="quiet">at ${line.lastOffset}</span>`}</td>
          </tr>`
          : html`<tr><th scope="row">${line.table}</th><td colspan="4" class="quiet">${line.note}</td></tr>`,
      )}</tbody>
    </table>
    ${troublesView(view)}`
}

function troublesView({ troubles }: PageView): TemplateResult | typeof nothing {
  if (troubles.length === 0) return nothing
  return html`<h3>Failing</h3><ul class="troubles">${troubles.map((text) => html`<li>${text}</li>`)}</ul>`
}
