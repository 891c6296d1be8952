import { BlockList, isIP, isIPv6 } from 'node:net'

export interface BrokerAddress {
  readonly host: string
  readonly port: number
}

export function formatAddress({ host, port }: BrokerAddress): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

/** Whether it is a host name or an IP address, and a valid port. */
export function isAddress({ host, port }: BrokerAddress): boolean {
  return isHost(host) && Number.isInteger(port) && port >= 1 && port <= 65_535
}

/** Whether both are the same host and port, in any spelling. */
export function isSameAddress(left: BrokerAddress, right: BrokerAddress): boolean {
  return left.port === right.port && plainHost(left.host) === plainHost(right.host)
}

/** This machine. If a remote broker names it, the credentials would go to any program that listens here. */
const loopback = blocks(['0.0.0.0', 8], ['127.0.0.0', 8], ['::', 128], ['::1', 128])
/** Link-local addresses, and the services from which a cloud instance gets its own credentials. */
const metadataServices = blocks(
  ['169.254.0.0', 16],
  ['fe80::', 10],
  // Alibaba Cloud's service is in the shared address space. AWS's IPv6 service is in the private address space.
  ['100.100.100.200', 32],
  ['fd00:ec2::', 32],
)
const privateNetworks = blocks(
  ['10.0.0.0', 8],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
  // Shared address space, which Alibaba Cloud uses internally.
  ['100.64.0.0', 10],
  ['fc00::', 7],
)

/**
 * Whether credentials may be sent to a node that the bootstrap address named in its metadata. Allowed are the bootstrap
 * host, the other hosts of its endpoint, private addresses (metadata commonly contains a DStore's private address), and
 * the hosts on the list.
 * @param allowed host names, addresses, `*.suffix` patterns, or `*` for any. Patterns do not cover loopback, link-local
 *   and metadata addresses: each must be on the list itself.
 */
export function isAllowedNode(
  node: BrokerAddress,
  bootstrap: BrokerAddress,
  allowed: readonly string[],
): boolean {
  const host = plainHost(node.host)
  const own = plainHost(bootstrap.host)
  const listed = allowed.map(plainHost)
  if (host === own || listed.includes(host)) return true
  if (isLoopback(host)) return isLoopback(own)
  if (contains(metadataServices, host)) return false
  return (
    contains(privateNetworks, host) || isSibling(host, own) || listed.some((pattern) => covers(pattern, host))
  )
}

/** Whether an entry of the list of allowed nodes can match any host. */
export function isNodePattern(text: string): boolean {
  return text === '*' || isHost(text.startsWith('*.') ? text.slice(2) : bare(text))
}

/**
 * Whether the host belongs to the same endpoint: it is a subdomain of the bootstrap host, or has the same name with
 * another network suffix, as `dts-cn-hangzhou-vpc.aliyuncs.com` and `dts-cn-hangzhou.aliyuncs.com`. A common parent domain
 * is no proof: the hosts of all customers of a provider share it.
 */
function isSibling(host: string, bootstrap: string): boolean {
  if (isIP(bootstrap) !== 0 || !bootstrap.includes('.')) return false
  const [name, parent] = split(bootstrap)
  const endpoint = name.replace(/-(?:vpc|internal)$/, '')
  const [ownName, ownParent] = split(host)
  const isOfEndpoint = ownName === endpoint || ownName.startsWith(`${endpoint}-`)
  return host.endsWith(`.${bootstrap}`) || (parent.includes('.') && ownParent === parent && isOfEndpoint)
}

/** The first label of a host name, and the domain after it. */
function split(host: string): [name: string, parent: string] {
  const dot = host.indexOf('.')
  return dot < 0 ? [host, ''] : [host.slice(0, dot), host.slice(dot + 1)]
}

function covers(pattern: string, host: string): boolean {
  return pattern === '*' || (pattern.startsWith('*.') && host.endsWith(pattern.slice(1)))
}

const isLoopback = (host: string): boolean =>
  host === 'localhost' || host.endsWith('.localhost') || contains(loopback, host)

/** Letters, digits, hyphens, underscores and dots, or an IP address. No character controls a terminal or a log. */
function isHost(host: string): boolean {
  return host.length <= 254 && (isIP(host) !== 0 || /^[a-z0-9_-]+(?:\.[a-z0-9_-]+)*\.?$/i.test(host))
}

const bare = (host: string): string => (/^\[.*\]$/.test(host) ? host.slice(1, -1) : host)

/** The normal form of a host: lower case, no final dot, IPv6 in its short form, mapped IPv4 as IPv4. */
function plainHost(host: string): string {
  const lower = bare(host.toLowerCase()).replace(/\.$/, '')
  // The URL parser refuses a zone, as in fe80::1%eth0.
  const address = lower.replace(/%.*$/, '')
  if (!isIPv6(address)) return lower
  const short = new URL(`http://[${address}]`).hostname.slice(1, -1)
  const mapped = /^::ffff:([0-9a-f]+):([0-9a-f]+)$/.exec(short)
  if (mapped === null) return short
  const [high = 0, low = 0] = [mapped[1], mapped[2]].map((part) => Number.parseInt(part ?? '', 16))
  return [high >> 8, high & 0xff, low >> 8, low & 0xff].join('.')
}

function blocks(...subnets: readonly [network: string, prefix: number][]): BlockList {
  const list = new BlockList()
  for (const [network, prefix] of subnets) list.addSubnet(network, prefix, isIPv6(network) ? 'ipv6' : 'ipv4')
  return list
}

function contains(list: BlockList, host: string): boolean {
  const family = isIP(host)
  return family !== 0 && list.check(host, family === 6 ? 'ipv6' : 'ipv4')
}
