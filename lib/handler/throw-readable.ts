import type { Logger } from '@aws-lambda-powertools/logger'
import { executionModeStandard } from '@middy/core/executionModeStandard'
import { describeThrown, readable } from '../text/thrown.ts'

type Handle = (event: unknown, context: unknown) => Promise<unknown>
type Entry = Handle & { handler: (handler: unknown) => Entry }

/**
 * middy's way to run a function, with one addition around all middleware: of a thrown value that Lambda's runtime could
 * not read, the function's log gets what can be read of it, and Lambda an error that says the same.
 * middy's types leave out that an execution mode takes arguments and returns the function.
 */
export function throwReadable(logger: Logger): (...parts: unknown[]) => Entry {
  return (...parts) => {
    const inner: Entry = Reflect.apply(executionModeStandard, undefined, parts)
    const handle: Handle = async (event, context) => {
      try {
        return await inner(event, context)
      } catch (thrown) {
        const error = readable(thrown)
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
