import { embedded } from './embedded.ts'
import { switchTests } from './switches.ts'

switchTests(embedded)
