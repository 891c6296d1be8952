/**
 * The deployed poller in a process: one warm function that starts run after run without a pause, until a run ends at
 * the end of the stream. Prints its `Usage`.
 */
import '../../test/rig/quiet.ts'
import { handler } from '../../functions/poller.ts'
import { context } from '../../test/rig/context.ts'
import { packageRoutes } from '../../test/support/test-config.ts'
import { countDynamoRequests, usage } from './usage.ts'

packageRoutes(process.env.ROUTES)
const dynamoRequests = countDynamoRequests()
const runMs = 300_000
let ended = ''
while (ended !== 'end-of-stream') {
  const deadline = Date.now() + runMs
  const summary = await handler(
    {},
    context('poller', () => deadline - Date.now()),
  )
  ended = summary.ended
  if (summary.failures.length > 0) throw new Error(JSON.stringify(summary))
}
process.stdout.write(`${JSON.stringify(usage(dynamoRequests()))}\n`)
// Kept-alive connections would keep the process alive for some seconds more.
process.exit()
