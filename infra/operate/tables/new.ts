/** `npm run new -- database.table [flags]` */
import { openExample } from './example.ts'
import { runNew } from './run-new.ts'

process.exitCode = await runNew(process.argv.slice(2), { program: 'npm run new --', openExample })
