import { startDynalite } from '../../infra/local/dynalite.ts'
import { startDStoreSource } from './dstore-source.ts'
import { switchTest } from './switches.ts'

switchTest({
  name: 'the DStore emulator and dynalite',
  startDynamo: startDynalite,
  startSource: startDStoreSource,
  stop: async () => {},
})
