import type { Context } from 'aws-lambda'

/** Lambda's context of the invocation, with the time that it has. The facts of a change are members of the change. */
export interface HandlerContext extends Context {
  /** When Lambda ends the invocation, in milliseconds since 1970. A change that is not done by then is delivered again. */
  readonly deadline: number
  /**
   * Aborted shortly before the deadline. A request that gets it ends in time for the function to answer, so the poller learns which
   * changes are done, and need not wait until the invocation must have ended.
   */
  readonly signal: AbortSignal
}

/** Time reserved for the acknowledgement, in milliseconds. */
export const closingMs = 1_500

/** Adds the members to Lambda's own object, because middleware may keep what it knows by that object. */
export function handlerContext(context: Context): HandlerContext {
  const remainingMs = context.getRemainingTimeInMillis()
  let signal: AbortSignal | null = null
  return Object.defineProperties(context, {
    deadline: { value: Date.now() + remainingMs, configurable: true, enumerable: true },
    // Made only if a handler uses it: a timer for each invocation would be waste.
    signal: {
      get: () => {
        signal ??= AbortSignal.timeout(Math.max(0, context.getRemainingTimeInMillis() - closingMs))
        return signal
      },
      configurable: true,
      enumerable: true,
    },
  }) as HandlerContext
}
