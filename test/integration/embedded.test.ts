import { startDynalite } from '../../infra/local/dynalite.ts'
import { startDStoreSource } from '../support/dstore-source.ts'
import { integrationSuite } from './suite.ts'

integrationSuite({
  name: 'the DStore emulator and dynalite',
  startDynamo: startDynalite,
  startSource: startDStoreSource,
  stop: async () => {},
})
