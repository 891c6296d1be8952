import { randomUUID } from 'node:crypto'
import { context } from '../rig/context.ts'

/** What a bundled release exports; see test/fixtures/releases/README.md. */
export interface Release {
  readonly poller: typeof import('../../functions/poller.ts')['handler']
  readonly recovery: typeof import('../../functions/recovery.ts')['handler']
  readonly defineTable: typeof import('../../lib/handler/define-table.ts')['defineTable']
  readonly deadLetterQueue: typeof import('../../lib/dispatch/dead-letter.ts')['deadLetterQueue']
  readonly deadLetterSchema: typeof import('../../lib/dispatch/dead-letter.ts')['deadLetterSchema']
}

/** The last published release, as a cold start loads it: each call gives a new copy. */
export async function previousRelease(): Promise<Release> {
  const file = new URL('../fixtures/releases/0.1.0.mjs', import.meta.url)
  return (await import(`${file.href}?cold=${randomUUID()}`)) as Release
}

/** Invokes recovery of the previous release with the environment that the last invocation of a world had. */
export async function previousRecovery(event: unknown): Promise<unknown> {
  const { recovery } = await previousRelease()
  return recovery(
    event,
    context('test-recovery', () => 60_000),
  )
}
