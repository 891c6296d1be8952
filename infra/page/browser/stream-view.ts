import { html, nothing, type TemplateResult } from 'lit-html'
import type { Actions } from './actions.ts'
import { number, rate, seconds, time } from './format.ts'
import { ratesOf, type State } from './store.ts'

/** The line at the top: state, lag, position. */
export function statusView({ view, isConnected, samples }: State): TemplateResult {
  const checkpoint = view?.checkpoint ?? null
  const state = checkpoint?.state ?? 'STARTING'
  const lag = samples.at(-1)?.lag ?? null
  return html`
    <h1>dts-functions <span class="quiet">${view?.title}</span></h1>
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
            <p>${halt.message}</p>`
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

/** Counts and rates by table. */
export function tablesView({ view, samples }: State): TemplateResult {
  const lines = view?.tables ?? []
  if (lines.length === 0) return html`<p class="quiet">No table has been seen yet.</p>`
  const recent = samples.slice(-6)
  const known = lines.filter(({ note }) => note === null)
  const [hasWaiting, hasReplays] = [
    known.some(({ waiting }) => waiting !== null),
    known.some(({ replays }) => replays !== null),
  ]
  return html`
    <table>
      <thead><tr><th>table</th><th class="n">handled</th><th class="n">rate</th>
        ${hasWaiting ? html`<th class="n">waiting</th>` : nothing}${hasReplays ? html`<th class="n">replays</th>` : nothing}
        <th>last change</th></tr></thead>
      <tbody>${lines.map((line) =>
        line.note === null
          ? html`<tr>
            <th scope="row">${line.table}</th>
            <td class="n">${orDash(line.handled, number)}</td>
            <td class="n">${orDash(ratesOf(recent, line.table).at(-1) ?? null, rate)}</td>
            ${hasWaiting ? html`<td class="n">${orDash(line.waiting, number)}</td>` : nothing}
            ${hasReplays ? html`<td class="n">${orDash(line.replays, number)}</td>` : nothing}
            <td>${line.lastOffset === '' ? '–' : html`${line.lastOperation} <span class="quiet">at ${line.lastOffset}</span>`}</td>
          </tr>`
          : html`<tr><th scope="row">${line.table}</th><td colspan="4" class="quiet">${line.note}</td></tr>`,
      )}</tbody>
    </table>
    ${view?.notes.map((note) => html`<p class="quiet">${note}</p>`)}`
}

/** What is unknown is no zero. */
function orDash(value: number | null, text: (value: number) => string): string {
  return value === null ? '–' : text(value)
}

/** What fails, such as changes that their handlers do not take. */
export function troublesView({ view }: State): TemplateResult | typeof nothing {
  if (view === null || view.troubles.length === 0) return nothing
  return html`<div class="panel"><h2>Failing</h2>
    <ul class="troubles">${view.troubles.map((text) => html`<li>${text}</li>`)}</ul></div>`
}

/** Why the page shows an older state, or none. */
export function faultView({ view }: State): TemplateResult | typeof nothing {
  if (view === null || view.fault === null) return nothing
  return html`<p class="panel alarm">${view.fault}</p>`
}
