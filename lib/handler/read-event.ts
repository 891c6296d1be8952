import { type Batch, batchSchema } from '../dispatch/batch-format.ts'
import { DtsError } from '../errors.ts'
import * as z from '../schema.ts'

/** The event of a table function: the poller's batch, or changes that a person sends by hand. */
export type TableEvent =
  | { readonly kind: 'batch'; readonly batch: Batch }
  | { readonly kind: 'by-hand'; readonly changes: readonly unknown[] }

const change = z.looseObject({ operation: z.string() })
type HandChange = z.output<typeof change>
const handSchema = z.union([
  z.pipe(
    change,
    z.transform((one: HandChange): readonly unknown[] => [one]),
  ),
  z.pipe(
    z.strictObject({ changes: z.array(change).check(z.minLength(1)) }),
    z.transform(({ changes }: { changes: HandChange[] }): readonly unknown[] => changes),
  ),
])

/** @throws DtsError CONFIG_INVALID when the event is neither */
export function readEvent(event: unknown): TableEvent {
  // First, because nearly every event is a batch, and a failed comparison costs as much as decoding a hundred changes.
  const batch = batchSchema.safeParse(event)
  if (batch.success) return { kind: 'batch', batch: batch.data }
  const byHand = handSchema.safeParse(event)
  if (byHand.success) return { kind: 'by-hand', changes: byHand.data }
  throw new DtsError(
    'CONFIG_INVALID',
    `The event is neither a batch of the poller nor a change in its JSON form: ${z.prettifyError(batch.error)}. ` +
      'Poller and table functions must be of one deployment.',
    { retryable: false },
  )
}
