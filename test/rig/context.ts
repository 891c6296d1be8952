import type { Context } from 'aws-lambda'

let requests = 0

/** The context of one invocation. */
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

/** The remaining time of a run that starts invocations until something has happened, however slow the machine is. */
export function until(happened: () => boolean): () => number {
  return () => (happened() ? 15_000 : 60_000)
}
