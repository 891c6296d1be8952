import type { Logger } from '@aws-lambda-powertools/logger'
import { executionModeStandard } from '@middy/core/executionModeStandard'
import { describeThrown, readableError } from '../text/thrown.ts'

type Handle = (event: unknown, context: unknown) => Promise<unknown>
type Entry = Handle & { handler: (handler: unknown) => Entry }

/**
 * middy's standard execution mode, with one addition around all middleware. If Lambda's runtime could not read the
 * thrown value, the function's log gets its readable parts, and Lambda gets an error with the same parts.
 * In middy's types an execution mode takes no arguments and returns nothing; in fact it takes some and returns the function.
 */
export function withReadableErrors(logger: Logger): (...parts: unknown[]) => Entry {
  return (...parts) => {
    const inner: Entry = Reflect.apply(executionModeStandard, undefined, parts)
    const handle: Handle = async (event, context) => {
      try {
        return await inner(event, context)
      } catch (thrown) {
        const error = readableError(thrown)
        if (error !== thrown) logger.error('The invocation failed', { error: describeThrown(thrown) })
        throw error
      }
    }
    const outer: Entry = Object.assign(handle, {
      handler: (handler: unknown) => {
        inner.handler(handler)
        return outer
      },
    })
    return outer
  }
}
