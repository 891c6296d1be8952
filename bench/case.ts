import type { Ground } from './ground/ground.ts'
import type { Goal, Row } from './result.ts'

export const caseNames = [
  'limit',
  'routes',
  'keys',
  'latency',
  'columns',
  'sizes',
  'backlog',
  'idle',
  'start',
  'decode',
  'wire',
  'invoke',
  'baseline',
] as const
export type CaseName = (typeof caseNames)[number]

export interface CaseOptions {
  readonly rounds: number
  readonly isLong: boolean
  /** Where pollers run. Starts with the first use, so that a case in this process needs no other. */
  readonly ground: () => Promise<Ground>
}

/** One table. */
export interface Case {
  readonly title: string
  /** Paragraphs for docs/performance.md: what is measured, and how to read the table. */
  readonly about: string
  readonly goals: readonly Goal[]
  run(options: CaseOptions): Promise<readonly Row[]>
}
