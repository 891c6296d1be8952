import { Worker } from 'node:worker_threads'
import { type FaultCounts, faultNumbers, type Kind, noFaults } from './faults.ts'
import type { Violation } from './observed.ts'
import type { Outcome } from './world.ts'

/** The result of many seeds. */
export interface Report {
  readonly violations: Violation[]
  readonly faults: FaultCounts
  /** How many streams ended drained, or halted by each code. */
  readonly ends: Record<string, number>
  /** How often each other event happened, by name. */
  readonly happenings: Record<string, number>
  maxDuplicates: number
  bound: number
  commits: number
  takeovers: number
  deadLetters: number
}

export function emptyReport(): Report {
  return {
    violations: [],
    faults: noFaults(),
    ends: {},
    happenings: {},
    maxDuplicates: 0,
    bound: 0,
    commits: 0,
    takeovers: 0,
    deadLetters: 0,
  }
}

/**
 * Plays `seeds` seeds of one kind, beginning with `from`, in worker threads. Each seed is one world.
 * @param total the results are also added to this report
 */
export async function simulate(
  kind: Kind,
  from: number,
  seeds: number,
  workers: number,
  total: Report | null = null,
): Promise<Report> {
  const report = emptyReport()
  const take = (outcome: Outcome): void => {
    add(report, outcome)
    if (total !== null) add(total, outcome)
  }
  const parts = Array.from({ length: workers }, (_, index) => ({
    kind,
    from: from + index,
    to: from + seeds,
    step: workers,
  }))
  await Promise.all(parts.map((part) => inWorker(part, take)))
  return report
}

function inWorker(workerData: object, take: (outcome: Outcome) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL('./worker.ts', import.meta.url), { workerData })
    worker.on('message', take)
    worker.on('error', reject)
    worker.on('exit', (code) => (code === 0 ? resolve() : reject(new Error(`worker ended with ${code}`))))
  })
}

function add(report: Report, outcome: Outcome): void {
  report.violations.push(...outcome.violations)
  for (const number of faultNumbers) report.faults[number] += outcome.faults[number]
  report.ends[outcome.end] = (report.ends[outcome.end] ?? 0) + 1
  for (const [name, count] of Object.entries(outcome.happenings))
    report.happenings[name] = (report.happenings[name] ?? 0) + count
  report.maxDuplicates = Math.max(report.maxDuplicates, outcome.maxDuplicates)
  report.bound = Math.max(report.bound, outcome.bound)
  report.commits += outcome.commits
  report.takeovers += outcome.takeovers
  report.deadLetters += outcome.deadLetters
}
