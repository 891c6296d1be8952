import { html, type TemplateResult } from 'lit-html'

const whole = new Intl.NumberFormat('en')
const clock = new Intl.DateTimeFormat('en-GB', { timeStyle: 'medium' })
const day = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'medium' })

export function count(number: number, unit: string): string {
  return `${whole.format(number)} ${unit}${number === 1 ? '' : 's'}`
}

export function number(value: number): string {
  return whole.format(value)
}

export function rate(perSecond: number): string {
  return `${perSecond < 10 ? perSecond.toFixed(1) : whole.format(Math.round(perSecond))}/s`
}

/** The time of day in the viewer's zone. */
export function timeOfDay(at: number): string {
  return clock.format(new Date(at))
}

/** A length of time. */
export function seconds(total: number): string {
  if (total < 120) return `${Math.round(total)} s`
  const minutes = Math.floor(total / 60)
  return minutes < 120 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}

/** A time in the viewer's zone, with UTC in its title. @param now to leave out the day if it is today */
export function time(at: number, now: number): TemplateResult {
  const date = new Date(at)
  if (Number.isNaN(date.getTime())) return html`<span>no date</span>`
  const isToday = date.toDateString() === new Date(now).toDateString()
  const utc = `${date.toISOString().replace('T', ' ').slice(0, 19)} UTC`
  return html`<time datetime=${date.toISOString()} title=${utc}>${(isToday ? clock : day).format(date)}</time>`
}
