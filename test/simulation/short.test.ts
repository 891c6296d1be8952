import { worldTests } from './tests.ts'

worldTests('faults', 200)
worldTests('switch', 200)
