/**
 * Loaded into the local process that hosts the functions (`node --import`). Writes each change that a handler has finished
 * as one JSON line, so that the local stack counts what handlers really received.
 */
import { subscribe } from 'node:diagnostics_channel'
import { appendFileSync } from 'node:fs'
import type { Change } from '../../lib/dts/change.ts'
import { handledChannel } from '../../lib/handler/diagnostics.ts'

const file = process.env.LOCAL_HANDLED_FILE

if (file !== undefined) {
  subscribe(handledChannel, (message) => {
    const { table, change } = message as { table: string; change: Change }
    const { id, offset, generation, replay, operation } = change
    appendFileSync(
      file,
      `${JSON.stringify({ table: change.table ?? table, id: String(id), offset: String(offset), generation, replay, operation })}\n`,
    )
  })
}
