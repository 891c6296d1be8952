/** `npm run console -- [flags]`, in this repository. */
import { bundledAssets } from '../../page/bundle.ts'
import { runConsole } from './run-console.ts'

const assets = bundledAssets()
process.exitCode = await runConsole(process.argv.slice(2), { program: 'npm run console --', assets })
