import { startDynalite } from '../rig/dynalite.ts'
import { fenceTests } from './fence-tests.ts'

fenceTests('dynalite', startDynalite)
