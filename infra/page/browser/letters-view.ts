import { html, nothing, type TemplateResult } from 'lit-html'
import { repeat } from 'lit-html/directives/repeat.js'
import type { ShownLetter } from '../messages.ts'
import type { Actions } from './actions.ts'
import { rowView } from './changes-view.ts'
import { count } from './format.ts'
import type { State } from './store.ts'

/** The dead letters: why each failed, its row, and what a person can do with it. */
export function lettersView({ view, letters, isBusy }: State, actions: Actions): TemplateResult {
  const isListed = letters !== null && typeof letters !== 'string'
  const hasSome = isListed && letters.letters.length > 0
  return html`
    <p class="bar">
      <button ?disabled=${isBusy} @click=${actions.look}>Look into the queue</button>
      <button ?disabled=${isBusy || !hasSome} @click=${() => actions.plan('redrive')}>Plan a redrive</button>
      <span class="quiet">${isListed ? waitingText(letters.letters.length, letters.waiting) : letters}</span>
    </p>
    ${
      hasSome
        ? html`<ol class="changes">${repeat(
            letters.letters,
            ({ message }) => message,
            (letter) => letterView(letter, view?.now ?? 0, isBusy, actions),
          )}</ol>`
        : nothing
    }`
}

function waitingText(listed: number, waiting: number): string {
  if (listed === 0 && waiting === 0) return 'No dead letter waits.'
  const rest = waiting > listed ? ' The queue hands out the others after these.' : ''
  return `${count(Math.max(listed, waiting), 'dead letter')} ${Math.max(listed, waiting) === 1 ? 'waits' : 'wait'}.${rest}`
}

function letterView(letter: ShownLetter, now: number, isBusy: boolean, actions: Actions): TemplateResult {
  const { message, function: name, attempts, error, offset, table } = letter
  const discard = html`
    <button ?disabled=${isBusy} aria-label=${`Plan to discard the letter at offset ${offset} of ${table}`}
      @click=${() => actions.plan('discard', message)}>Discard …</button>`
  return html`
    <li class="change">
      ${rowView(letter, now, discard)}
      <p class="reason">${name ?? 'no function'}, ${count(attempts, 'attempt')}: ${error}</p>
    </li>`
}
