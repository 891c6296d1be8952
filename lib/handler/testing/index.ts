/** Tests of handler files import these from 'dts-functions/testing'. They need no AWS and no stream. */

export { pseudonym } from '../../dispatch/mask.ts'
export {
  type ChangeDefaults,
  changesOf,
  type HandlerChanges,
  inTransaction,
  type OtherColumns,
} from './changes.ts'
export { type Delivered, type DeliverOptions, deliver, testMaskKey } from './deliver.ts'
export { type MemoryItem, type MemoryTables, memoryTables } from './memory/tables.ts'
export { readChanges } from './read-changes.ts'
