/** `npm run recovery -- <action> [flags]`, in this repository. `npm run doctor` is its action `doctor`. */
import { operate } from './operate.ts'

process.exitCode = await operate(process.argv.slice(2), 'npm run recovery --')
