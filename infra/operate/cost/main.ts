/** `npm run cost -- [flags]` */
import { runCost } from './run-cost.ts'

process.exitCode = await runCost(process.argv.slice(2), 'npm run cost --')
