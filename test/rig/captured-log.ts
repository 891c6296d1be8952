/** Imported before anything that logs: what the functions of this process log as errors is kept, and not printed. */
process.env.POWERTOOLS_DEV = 'true'
process.env.POWERTOOLS_METRICS_DISABLED = 'true'

const lines: string[] = []
console.error = (line: string) => void lines.push(line)

/** What was logged since the last call, in one line. */
export function takeErrorLog(): string {
  return lines.splice(0).join(' ').replace(/\s+/g, ' ')
}
