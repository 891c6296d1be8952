import { isIPv4 } from 'node:net'

export interface BrokerAddress {
  readonly host: string
  readonly port: number
}

export function formatAddress({ host, port }: BrokerAddress): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

/**
 * Whether credentials may be sent to a node that the bootstrap address named in its metadata.
 * Without an explicit list: the bootstrap host itself, its siblings below the same parent domain, and private
 * IPv4 addresses (a DStore is commonly named by the address of its network).
 * @param allowed host names, `*.suffix` patterns, or `*` for any
 */
export function isAllowedNode(
  node: BrokerAddress,
  bootstrap: BrokerAddress,
  allowed: readonly string[],
): boolean {
  const host = node.host.toLowerCase()
  if (host === bootstrap.host.toLowerCase()) return true
  if (allowed.length > 0) return allowed.some((pattern) => matches(host, pattern.toLowerCase()))
  return isPrivate(host) || isSibling(host, bootstrap.host.toLowerCase())
}

function matches(host: string, pattern: string): boolean {
  if (pattern === '*') return true
  return pattern.startsWith('*.') ? host.endsWith(pattern.slice(1)) : host === pattern
}

/** Same domain behind the first label; at least two labels must be left, or `a.com` would vouch for `b.com`. */
function isSibling(host: string, bootstrap: string): boolean {
  const parent = bootstrap.slice(bootstrap.indexOf('.') + 1)
  return !isIPv4(bootstrap) && bootstrap.includes('.') && parent.includes('.') && host.endsWith(`.${parent}`)
}

function isPrivate(host: string): boolean {
  if (!isIPv4(host)) return host === 'localhost'
  const [first = 0, second = 0] = host.split('.').map(Number)
  return (
    first === 10 ||
    first === 127 ||
    (first === 172 && second >= 16 && second <= 31) ||
    (first === 192 && second === 168) ||
    (first === 100 && second >= 64 && second <= 127)
  )
}
