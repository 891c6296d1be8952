import type { Context } from 'aws-lambda'

let requests = 0

/** A Lambda context for one invocation. */
export function context(functionName: string, getRemainingTimeInMillis: () => number): Context {
  requests += 1
  return {
    callbackWaitsForEmptyEventLoop: false,
    functionName,
    functionVersion: '$LATEST',
    invokedFunctionArn: `arn:aws:lambda:eu-central-1:123456789012:function:${functionName}`,
    memoryLimitInMB: '256',
    awsRequestId: `request-${requests}`,
    logGroupName: `/aws/lambda/${functionName}`,
    logStreamName: 'test',
    getRemainingTimeInMillis,
    done: () => {},
    fail: () => {},
    succeed: () => {},
  }
}

/** Remaining time for a run that must start invocations until an event happens, on a machine of any speed. */
export function until(happened: () => boolean): () => number {
  return () => (happened() ? 15_000 : 60_000)
}
