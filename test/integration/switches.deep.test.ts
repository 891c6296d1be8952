import { startDynalite } from '../../infra/local/dynalite.ts'
import { startDStoreSource } from '../support/dstore-source.ts'
import { switchTests } from './switches.ts'

switchTests({
  name: 'the DStore emulator and dynalite',
  startDynamo: startDynalite,
  startSource: startDStoreSource,
  stop: async () => {},
})
