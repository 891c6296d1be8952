import { startDynalite } from '../../../infra/local/dynalite.ts'
import { fenceTests } from './fence-tests.ts'

fenceTests('dynalite', startDynalite)
