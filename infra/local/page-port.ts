import { UsageError } from '../operate/report.ts'

/** Every way to start the live stream has this flag. */
export const pagePortOption = { 'page-port': { type: 'string' } } as const

/** @returns 0 without the flag: a free port. @throws UsageError */
export function pagePortOf(text: string | undefined): number {
  if (text === undefined) return 0
  const port = Number(text)
  if (!/^\d+$/.test(text) || port < 1 || port > 65_535)
    throw new UsageError(`--page-port needs a port from 1 to 65535, not "${text}".`)
  return port
}
