import type { Case, CaseName } from '../case.ts'
import { backlog } from './backlog.ts'
import { baseline } from './baseline.ts'
import { columns } from './columns.ts'
import { decode } from './decode.ts'
import { idle } from './idle.ts'
import { invoke } from './invoke.ts'
import { keys } from './keys.ts'
import { latency } from './latency.ts'
import { limit } from './limit.ts'
import { routes } from './routes.ts'
import { sizes } from './sizes.ts'
import { start } from './start.ts'
import { wire } from './wire.ts'

export const cases: Readonly<Record<CaseName, Case>> = {
  limit,
  routes,
  keys,
  latency,
  columns,
  sizes,
  backlog,
  idle,
  start,
  decode,
  wire,
  invoke,
  baseline,
}
