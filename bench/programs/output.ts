/**
 * What the poller writes for CloudWatch since its start: its log, and its metrics, which are log lines too. With
 * BENCH_COUNTS_OUTPUT it is counted and dropped, otherwise it is switched off. Import it before any module that logs.
 */
export interface Output {
  readonly bytes: number
  readonly metrics: number
}

let bytes = 0
let metrics = 0

if (process.env.BENCH_COUNTS_OUTPUT === undefined) {
  process.env.POWERTOOLS_LOG_LEVEL = 'SILENT'
  process.env.POWERTOOLS_METRICS_DISABLED = 'true'
} else {
  process.stdout.write = (chunk: string | Uint8Array) => {
    const text = typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString()
    bytes += Buffer.byteLength(text)
    for (const line of text.split('\n')) metrics += metricsIn(line)
    return true
  }
}

export function output(): Output {
  return { bytes, metrics }
}

/** The number of metrics in a line of CloudWatch's embedded format. */
function metricsIn(line: string): number {
  if (!line.includes('"CloudWatchMetrics"')) return 0
  const { _aws } = JSON.parse(line) as { _aws: { CloudWatchMetrics: { Metrics: object[] }[] } }
  return _aws.CloudWatchMetrics.reduce((sum, { Metrics }) => sum + Metrics.length, 0)
}
