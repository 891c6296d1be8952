import uPlot from 'uplot'
import { rate, seconds, timeOfDay } from './format.ts'
import { ratesOf, type State } from './store.ts'

const height = 170
const mostTables = 6

/** Draws rates and lag. */
export class Plots {
  readonly #rate: Plot
  readonly #lag: Plot

  constructor(rateBox: HTMLElement, lagBox: HTMLElement) {
    this.#rate = new Plot(rateBox, (value) => rate(value))
    this.#lag = new Plot(lagBox, (value) => seconds(value))
  }

  draw({ samples, view }: State): void {
    const tables = (view?.tables ?? [])
      .filter(({ note }) => note === null)
      .sort((one, other) => (other.handled ?? 0) - (one.handled ?? 0))
      .slice(0, mostTables)
      .map(({ table }) => table)
      .sort()
    const times = samples.map(({ at }) => at / 1_000)
    this.#rate.draw(tables, [times, ...tables.map((table) => ratesOf(samples, table))])
    this.#lag.draw(['lag'], [times, samples.map(({ lag }) => lag)])
  }
}

/** One plot. It is made anew when its lines, its width or the colours change. */
class Plot {
  readonly #box: HTMLElement
  readonly #format: (value: number) => string
  #chart: uPlot | null = null
  #madeFor = ''

  constructor(box: HTMLElement, format: (value: number) => string) {
    this.#box = box
    this.#format = format
  }

  draw(names: readonly string[], data: uPlot.AlignedData): void {
    const width = this.#box.clientWidth
    const isDark = matchMedia('(prefers-color-scheme: dark)').matches
    const madeFor = JSON.stringify([names, width, isDark])
    if (madeFor === this.#madeFor && this.#chart !== null) {
      this.#chart.setData(data)
      return
    }
    this.#chart?.destroy()
    this.#madeFor = madeFor
    this.#chart = new uPlot(this.#options(names, width), data, this.#box)
  }

  #options(names: readonly string[], width: number): uPlot.Options {
    const style = getComputedStyle(document.documentElement)
    const colour = (name: string) => style.getPropertyValue(name).trim()
    const axis = {
      stroke: colour('--quiet'),
      grid: { stroke: colour('--line'), width: 1 },
      ticks: { stroke: colour('--line'), width: 1 },
    }
    const value = (_: uPlot, raw: number | null) => (raw === null ? '–' : this.#format(raw))
    return {
      width,
      height,
      cursor: { y: false },
      scales: { y: { range: (_, __, max) => [0, Math.max(1, max * 1.1)] } },
      axes: [
        { ...axis, space: 90, values: (_, splits) => splits.map((at) => timeOfDay(at * 1_000)) },
        { ...axis, size: 56, values: (_, splits) => splits.map((split) => this.#format(split)) },
      ],
      series: [
        { value: (_: uPlot, at: number | null) => (at === null ? '–' : timeOfDay(at * 1_000)) },
        ...names.map((label, index) => ({
          label,
          stroke: colour(`--series-${index + 1}`),
          width: 2,
          points: { show: false },
          value,
        })),
      ],
    }
  }
}
