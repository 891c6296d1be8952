/** The page in the browser: it shows each view that the server sends, and offers what a person can do. */
import { render } from 'lit-html'
import type { PageView } from '../messages.ts'
import { actionsOn } from './actions.ts'
import { changesView, searchView } from './changes-view.ts'
import { controlsView, eventsView, planView } from './controls-view.ts'
import { lettersView } from './letters-view.ts'
import { logView } from './log-view.ts'
import { Plots } from './plots.ts'
import { nothingYet, type State, withView } from './store.ts'
import { faultView, haltView, statusView, tablesView, troublesView } from './stream-view.ts'

function part(id: string): HTMLElement {
  const found = document.getElementById(id)
  if (found === null) throw new Error(`index.html has no #${id}`)
  return found
}

const dialog = part('plan') as HTMLDialogElement
const plots = new Plots(part('rate-plot'), part('lag-plot'))
let state: State = nothingYet
let isDrawn = true
/** The halt that recovery was asked about. */
let advisedAt: number | null = null

const actions = actionsOn(
  () => state,
  (changed) => {
    state = { ...state, ...changed }
    if (!isDrawn) return
    isDrawn = false
    requestAnimationFrame(draw)
  },
)

function draw(): void {
  isDrawn = true
  render(statusView(state), part('status'))
  hideMissing(state)
  render(faultView(state), part('fault'))
  render(haltView(state, actions), part('halt'))
  render(logView(state), part('log'))
  render(tablesView(state), part('tables'))
  render(troublesView(state), part('troubles'))
  render(lettersView(state, actions), part('letters'))
  render(controlsView(state, actions), part('controls'))
  render(eventsView(state), part('events'))
  render(searchView(state, actions), part('search'))
  render(changesView(state, actions), part('changes'))
  render(planView(state.plan, state.isBusy, actions), dialog)
  if (state.plan !== null && !dialog.open) {
    dialog.showModal()
    dialog.querySelector<HTMLButtonElement>('#apply')?.focus()
  }
  if (state.plan === null && dialog.open) dialog.close()
  plots.draw(state)
}

/** The sections that this page has no facts for. */
function hideMissing({ view }: State): void {
  const hide = (id: string, isMissing: boolean) =>
    part(id).closest('section')?.toggleAttribute('hidden', isMissing)
  hide('tables', view?.tables === null)
  hide('rate-plot', view?.tables === null)
  hide('search', view?.changes === null)
  hide('changes', view?.changes === null)
  document.title = view === null ? 'dts-functions' : `dts-functions, ${view.title}`
}

/** How many letters waited at the last look. */
let lettersSeen: number | null | undefined

/** Looks once, and again when their number changed, if the page learns it. */
function followLetters(): void {
  const waiting = state.view?.waitingLetters ?? null
  if (waiting === lettersSeen || state.plan !== null || state.isBusy) return
  lettersSeen = waiting
  void actions.look()
}

function show(changed: Partial<State>): void {
  state = { ...state, ...changed }
  draw()
}

/** Recovery is asked once about each halt, so that its advice is there when a person looks. */
function followHalts(): void {
  const haltAt = state.view?.checkpoint?.halt?.at ?? null
  if (haltAt === advisedAt) return
  advisedAt = haltAt
  if (haltAt === null) show({ advice: null })
  else void actions.advise()
}

// Escape closes the dialogue by itself.
dialog.addEventListener('close', () => actions.dismiss())
document.addEventListener('keydown', (event) => {
  const isTyping = event.target instanceof HTMLInputElement || event.target instanceof HTMLSelectElement
  if (event.key !== '/' || isTyping || dialog.open || event.ctrlKey || event.metaKey) return
  event.preventDefault()
  document.querySelector<HTMLInputElement>('input[name=key]')?.focus()
})
addEventListener('resize', draw)
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw)

function follow(): EventSource {
  const events = new EventSource('events')
  events.addEventListener('message', ({ data }) => {
    const view = JSON.parse(data) as PageView
    show(withView(state, view))
    followHalts()
    followLetters()
  })
  events.addEventListener('error', () => show({ isConnected: false }))
  return events
}

let events: EventSource | null = null

/** A hidden page follows nothing: on a stage, each look costs an invocation. */
function followWhileSeen(): void {
  if (document.visibilityState === 'hidden') {
    events?.close()
    events = null
    show({ isConnected: false })
  } else events ??= follow()
}
document.addEventListener('visibilitychange', followWhileSeen)
followWhileSeen()
draw()
