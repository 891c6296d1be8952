/**
 * Keeps the errors and warnings that the functions of this process log, and does not print them. Import it before any module
 * that logs.
 */
process.env.POWERTOOLS_DEV = 'true'
process.env.POWERTOOLS_METRICS_DISABLED = 'true'

const lines: string[] = []
console.error = (line: string) => void lines.push(line)
const warnings: string[] = []
console.warn = (line: string) => void warnings.push(line)

/** The log since the last call, in one line. */
export function takeErrorLog(): string {
  return lines.splice(0).join(' ').replace(/\s+/g, ' ')
}

/** The warnings since the last call. */
export function takeWarnings(): string[] {
  return warnings.splice(0)
}
