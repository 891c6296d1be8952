/** What `npm run release-fixture` bundles; see test/fixtures/releases/README.md. */
export { handler as poller } from '../../functions/poller.ts'
export { handler as recovery } from '../../functions/recovery.ts'
export { deadLetterQueue, deadLetterSchema } from '../../lib/dispatch/dead-letter.ts'
export { defineTable } from '../../lib/handler/define-table.ts'
