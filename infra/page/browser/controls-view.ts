import { html, nothing, type TemplateResult } from 'lit-html'
import type { Plan } from '../messages.ts'
import type { Actions } from './actions.ts'
import type { State } from './store.ts'

export function controlsView({ view, isBusy, message }: State, actions: Actions): TemplateResult {
  const isStopped = view?.checkpoint != null && view.checkpoint.state !== 'RUNNING'
  return html`
    <p class="bar">
      <button ?disabled=${isBusy} @click=${actions.advise}>Inspect</button>
      <button ?disabled=${isBusy} @click=${() => actions.plan('reset')}>Plan a reset</button>
      <button ?disabled=${isBusy} @click=${() => actions.plan(isStopped ? 'resume' : 'pause')}>
        ${isStopped ? 'Plan to resume' : 'Plan a pause'}</button>
      ${view?.hasFaults ? faultButtons(isBusy, actions) : nothing}
    </p>
    <p class="lines" id="message" role="status">${message}</p>`
}

function faultButtons(isBusy: boolean, actions: Actions): TemplateResult {
  return html`
    <button class="fault" ?disabled=${isBusy} @click=${() => actions.fault('cluster')}>Switch the cluster</button>
    <button class="fault" ?disabled=${isBusy} @click=${() => actions.fault('connections')}>Cut connections</button>`
}

export function eventsView({ view }: State): TemplateResult {
  if (view === null || view.events.length === 0) return html`<p class="quiet">None yet.</p>`
  return html`<ul class="events">${view.events.map((text) => html`<li>${text}</li>`)}</ul>`
}

/** The plan in the dialogue, to read and to apply. */
export function planView(
  plan: Plan | null,
  isBusy: boolean,
  actions: Actions,
): TemplateResult | typeof nothing {
  if (plan === null) return nothing
  return html`
    <h2 id="plan-title">Plan: ${plan.title}</h2>
    <p class="lines">${plan.text}</p>
    <dl class="facts">${plan.facts.map(({ name, value }) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>
    <p class="quiet">Nothing has been done yet. Apply does exactly this, or nothing if the stream or the queue changed.</p>
    <p class="bar">
      <button class="primary" id="apply" ?disabled=${isBusy} @click=${actions.apply}>Apply</button>
      <button @click=${actions.dismiss}>Cancel</button>
    </p>`
}
