/**
 * Why a request to an AWS service failed, as far as a person can act on it. A missing way in the network and a missing right
 * look alike from outside, and have different remedies: the first one is a service that does not answer at all.
 */
export type ServiceFault = 'unreachable' | 'denied' | 'other'

/** The services that poller and recovery use, and what leads to each from a private subnet. */
const ways = {
  DynamoDB: 'its gateway endpoint in the route table',
  Lambda: 'the interface endpoint "lambda"',
  SQS: 'the interface endpoint "sqs"',
  S3: 'its gateway endpoint in the route table',
  'Secrets Manager': 'the interface endpoint "secretsmanager"',
  SSM: 'the interface endpoint "ssm"',
} as const
export type Service = keyof typeof ways

/** Codes of a request that no service answered. The SDK gives its own time-outs the code ETIMEDOUT. */
const networkCodes = new Set([
  'ETIMEDOUT',
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
])

export function serviceFault(thrown: unknown): ServiceFault {
  const status = memberOf(memberOf(thrown, '$metadata'), 'httpStatusCode')
  const name = memberOf(thrown, 'name')
  // DynamoDB, Secrets Manager and SSM refuse with the status 400.
  if (status === 403 || (typeof status === 'number' && /^AccessDenied/.test(String(name)))) return 'denied'
  if (typeof status === 'number') return 'other'
  const code = memberOf(thrown, 'code')
  return name === 'TimeoutError' || networkCodes.has(String(code)) ? 'unreachable' : 'other'
}

/** What to do about the failure of a request, in whole sentences. @param otherwise the advice for any other failure */
export function serviceAdvice(service: Service, thrown: unknown, otherwise: string): string {
  switch (serviceFault(thrown)) {
    case 'unreachable':
      return (
        `${service} did not answer, so this is the network and not a right. In a VPC, give the function's subnet a way to ` +
        `${service}: ${ways[service]}, or NAT. Let its security group send to port 443, and see docs/network.md.`
      )
    case 'denied':
      return (
        `${service} answered and refused, so the network is right and a right is missing: in the function's role, or in a ` +
        'policy of the endpoint, the permission boundary or the organisation.'
      )
    case 'other':
      return otherwise
  }
}

function memberOf(value: unknown, key: string): unknown {
  try {
    return typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined
  } catch {
    return undefined
  }
}
