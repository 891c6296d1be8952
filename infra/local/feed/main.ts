/** `npm run feed`: sends changes to the local stack of this folder. */
import { reporting } from '../../operate/report.ts'
import { usage } from './arguments.ts'
import { runFeed } from './run-feed.ts'

process.exitCode = await reporting(usage, () => runFeed(process.argv.slice(2), process.cwd(), console.log))
