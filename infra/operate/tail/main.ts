/** `npm run tail -- [flags]` */
import { runTail } from './run-tail.ts'

process.exitCode = await runTail(process.argv.slice(2), 'npm run tail --')
