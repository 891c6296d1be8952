import { subscribe } from 'node:diagnostics_channel'

/** The report of a measured process at its end. */
export interface Usage {
  readonly cpuMs: number
  readonly peakMegabytes: number
  readonly dynamoRequests: number
}

/** Counts the requests to DynamoDB from now on. */
export function countDynamoRequests(): () => number {
  let count = 0
  subscribe('http.client.request.start', (message) => {
    const { request } = message as { request: { getHeader(name: string): unknown } }
    if (String(request.getHeader('x-amz-target') ?? '').startsWith('DynamoDB')) count += 1
  })
  return () => count
}

export function usage(dynamoRequests: number): Usage {
  const { user, system } = process.cpuUsage()
  return {
    cpuMs: (user + system) / 1000,
    peakMegabytes: process.resourceUsage().maxRSS / 1024,
    dynamoRequests,
  }
}
