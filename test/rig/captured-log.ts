/** Keeps the errors that the functions of this process log, and does not print them. Import it before any module that logs. */
process.env.POWERTOOLS_DEV = 'true'
process.env.POWERTOOLS_METRICS_DISABLED = 'true'

const lines: string[] = []
console.error = (line: string) => void lines.push(line)

/** The log since the last call, in one line. */
export function takeErrorLog(): string {
  return lines.splice(0).join(' ').replace(/\s+/g, ' ')
}
