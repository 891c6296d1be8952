import { startDynalite } from '../../infra/local/dynalite.ts'
import { startDStoreSource } from './dstore-source.ts'
import type { Parts } from './parts.ts'

/** What runs in this process, without anything to install. */
export const embedded: Parts = {
  name: 'the DStore emulator and dynalite',
  startDynamo: startDynalite,
  startSource: startDStoreSource,
  stop: async () => {},
}
