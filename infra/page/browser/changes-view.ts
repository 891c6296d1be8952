import { html, nothing, type TemplateResult } from 'lit-html'
import { repeat } from 'lit-html/directives/repeat.js'
import type { Column, Fate, ShownChange, ShownLetter } from '../messages.ts'
import type { Actions } from './actions.ts'
import { time } from './format.ts'
import type { State } from './store.ts'

export function changesView({ view, held }: State, actions: Actions): TemplateResult {
  const changes = held ?? view?.changes ?? []
  return html`
    <p class="bar">
      <button aria-pressed=${held !== null} @click=${actions.hold}>${held === null ? 'Hold the list' : 'Follow the stream'}</button>
      <span class="quiet">${held === null ? 'Newest first.' : 'The list is held. The stream continues.'}</span>
    </p>
    ${changes.length === 0 ? html`<p class="quiet">No change yet.</p>` : list(changes, view?.now ?? 0)}`
}

export function searchView(state: State, actions: Actions): TemplateResult {
  const { view, isBusy } = state
  const submit = (event: SubmitEvent) => {
    event.preventDefault()
    const fields = new FormData(event.currentTarget as HTMLFormElement)
    const key = String(fields.get('key')).trim()
    if (key !== '') void actions.search(String(fields.get('table')), key)
  }
  const onKey = (event: KeyboardEvent) => {
    if (event.key !== 'Escape') return
    if (event.currentTarget instanceof HTMLFormElement) event.currentTarget.reset()
    actions.clearSearch()
  }
  return html`
    <form class="bar" @submit=${submit} @keydown=${onKey}>
      <label>Table <select name="table">
        <option value="">all</option>
        ${view?.tables?.map(({ table }) => html`<option value=${table}>${table}</option>`)}
      </select></label>
      <label class="wide">Key <input name="key" placeholder="1003 or id=1003" autocomplete="off" spellcheck="false" aria-keyshortcuts="/" /></label>
      <button ?disabled=${isBusy}>Find</button>
    </form>
    <div id="found" aria-live="polite">${foundView(state, actions)}</div>`
}

function foundView({ search, view, isBusy }: State, actions: Actions): TemplateResult | typeof nothing {
  if (search === null) return nothing
  const { label, found } = search
  const { changes, searched, isPartial, older, notes } = found
  const now = view?.now ?? 0
  const range = searched === null ? 'The log is empty' : `offsets ${searched.from} to ${searched.to}`
  const rest = isPartial ? ' Older records were not searched.' : ''
  const more = html`
    ${notes.map((note) => html`<p class="quiet">${note}</p>`)}
    ${older === null ? nothing : html`<p class="bar"><button ?disabled=${isBusy} @click=${() => actions.searchOlder()}>Search older records</button></p>`}`
  const [newest] = changes
  if (newest === undefined)
    return html`<p><strong>Not seen.</strong> No change of ${label} is in the log (${range}).${rest}</p>${more}`
  const oldest = changes.at(-1) ?? newest
  const places =
    oldest === newest ? `at offset ${newest.offset}` : `between offsets ${oldest.offset} and ${newest.offset}`
  return html`
    <p><strong>${changes.length === 1 ? '1 change' : `${changes.length} changes`}</strong> of ${label} ${places}
      (searched: ${range}).${rest}</p>
    ${list(changes, now)}${more}`
}

function list(changes: readonly ShownChange[], now: number): TemplateResult {
  return html`<ol class="changes">${repeat(
    changes,
    ({ offset }) => offset,
    (change) => changeView(change, now),
  )}</ol>`
}

function changeView(change: ShownChange, now: number): TemplateResult {
  return html`<li class="change">${rowView(change, now, fateView(change.fate, change.offset, now))}</li>`
}

/** A change with its values. @param outcome what became of it */
export function rowView(
  { offset, operation, table, key, at, columns, text, note }: Omit<ShownChange, 'fate'> | ShownLetter,
  now: number,
  outcome: TemplateResult,
): TemplateResult {
  const changed = operation === 'UPDATE' ? columns.filter(isChanged) : columns
  const rest = columns.length - changed.length
  return html`
      <p class="head">
        <span class="operation ${operation.toLowerCase()}">${operation}</span>
        <strong>${table}</strong> <code>${key}</code>
        <span class="quiet">offset ${offset}, ${time(at, now)}</span>
        ${outcome}
      </p>
      ${text === null ? nothing : html`<p><code>${text}</code></p>`}
      ${note === null ? nothing : html`<p class="quiet">${note}</p>`}
      ${changed.length === 0 ? nothing : html`<dl class="diff">${changed.map((column) => columnView(column, operation))}</dl>`}
      ${rest === 0 ? nothing : html`<details><summary>${rest} unchanged</summary><dl class="diff">${columns.filter((column) => !isChanged(column)).map((column) => columnView(column, 'SAME'))}</dl></details>`}`
}

function isChanged({ before, after }: Column): boolean {
  return before !== after
}

function columnView({ name, before, after }: Column, operation: string): TemplateResult {
  const old = before === null || operation === 'SAME' ? nothing : html`<del>${before}</del> `
  const now = after === null ? nothing : operation === 'SAME' ? after : html`<ins>${after}</ins>`
  return html`<div><dt>${name}</dt><dd>${old}${now}</dd></div>`
}

const passedHere = 'The checkpoint is past this change. Its handler filters it out, or got it long ago.'

function fateView(fate: Fate, offset: string, now: number): TemplateResult {
  switch (fate.kind) {
    case 'delivered': {
      const elsewhere = fate.offset === offset ? '' : ` at offset ${fate.offset}`
      const again = fate.times === 1 ? '' : `, ${fate.times} times`
      return html`<span class="fate delivered" title=${`generation ${fate.generation}`}>delivered${elsewhere} ${time(fate.at, now)}${again}</span>`
    }
    case 'failing':
      return html`<span class="fate failing">failing: ${fate.reason}</span>`
    case 'dead':
      return html`<span class="fate failing" title=${fate.reason}>dead letter</span>`
    case 'done':
      return html`<span class="fate delivered" title="Its function acknowledged it, or it is a dead letter that this page has not seen.">done</span>`
    case 'filtered':
      return html`<span class="fate passed" title="The operations or the filter of the handler leave it out.">filtered</span>`
    case 'unknown':
      return html`<span class="fate passed" title=${fate.reason}>unknown</span>`
    case 'waiting':
      return html`<span class="fate waiting">waiting</span>`
    case 'passed':
      return fate.reason === null
        ? html`<span class="fate passed" title=${passedHere}>passed without a delivery</span>`
        : html`<span class="fate passed" title=${fate.reason}>passed</span>`
    case 'unhandled':
      return html`<span class="fate passed">no handler</span>`
  }
}
