/** The public interface: handler files import these from 'dts-functions'. */

export type { DeclaredTable } from './dispatch/pattern.ts'
export type { Change, DdlChange, DeleteChange, InsertChange, RowChange, UpdateChange } from './dts/change.ts'
export {
  type ChangeJson,
  changeFromJson,
  changeToJson,
  parseChange,
  stringifyChange,
} from './dts/json.ts'
export * from './handler/columns/index.ts'
export { defineStream, type StreamDefinition } from './handler/define-stream.ts'
export {
  type BatchResult,
  defineTable,
  type HandAnswer,
  type HandlerContext,
  type TableDefinition,
  type Transaction,
} from './handler/define-table.ts'
export {
  type Cell,
  type FencedDelete,
  type FencedUpdate,
  type FenceResult,
  fencedDelete,
  fencedUpdate,
} from './handler/fence.ts'
export { type OnceMarks, type OnceResult, once } from './handler/once.ts'
