/** What the tests of handler files import from 'dts-functions/testing'. It needs no AWS and no stream. */
export { type ChangeDefaults, changesOf, type HandlerChanges } from './changes.ts'
export { type Delivered, type DeliverOptions, deliver } from './deliver.ts'
export { readChanges } from './read-changes.ts'
