import { worldTests } from './tests.ts'

worldTests('faults', 100)
worldTests('switch', 100)
