/** The page in the browser: it shows each view that the server sends, and offers what a person can do. */
import { render } from 'lit-html'
import type { PageView } from '../messages.ts'
import { actionsOn } from './actions.ts'
import { changesView, searchView } from './changes-view.ts'
import { controlsView, eventsView, planView } from './controls-view.ts'
import { Plots } from './plots.ts'
import { nothingYet, type State, withView } from './store.ts'
import { haltView, logView, statusView, tablesView } from './stream-view.ts'

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
  render(haltView(state, actions), part('halt'))
  render(logView(state), part('log'))
  render(tablesView(state), part('tables'))
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

const events = new EventSource('events')
events.addEventListener('message', ({ data }) => {
  const view = JSON.parse(data) as PageView
  show(withView(state, view))
  followHalts()
})
events.addEventListener('error', () => show({ isConnected: false }))
draw()
