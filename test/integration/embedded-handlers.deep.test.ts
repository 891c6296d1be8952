import { embedded } from './embedded.ts'
import { integrationSuite } from './suite.ts'

integrationSuite(embedded, ['handlers'])
