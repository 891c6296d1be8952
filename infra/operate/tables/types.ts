/** `npm run types [-- --check] [flags]` */
import { openExample } from './example.ts'
import { runTypes } from './run-types.ts'

process.exitCode = await runTypes(process.argv.slice(2), { program: 'npm run types --', openExample })
