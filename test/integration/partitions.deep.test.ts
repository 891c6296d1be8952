import { startDynalite } from '../../infra/local/dynalite.ts'
import { startPlainSource } from '../support/dstore-source.ts'
import { integrationSuite } from './suite.ts'

integrationSuite(
  {
    name: 'the DStore emulator as a plain Kafka, and dynalite',
    startDynamo: startDynalite,
    startSource: startPlainSource,
    stop: async () => {},
  },
  ['partitions'],
)
