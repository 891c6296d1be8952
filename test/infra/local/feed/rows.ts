import type { Change } from '../../../../lib/dts/change.ts'

/** Operation and images of a change of a row, as plain objects. */
export function rowToPlain(change: Change): object {
  return {
    operation: change.operation,
    ...('before' in change ? { before: { ...change.before } } : {}),
    ...('after' in change ? { after: { ...change.after } } : {}),
  }
}
