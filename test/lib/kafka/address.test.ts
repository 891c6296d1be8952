import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  formatAddress,
  isAddress,
  isAllowedNode,
  isNodePattern,
  isSameAddress,
} from '../../../lib/kafka/address.ts'

const bootstrap = 'dts-cn-hangzhou.aliyuncs.com'

function check(node: string, own: string, allowed: readonly string[], expected: boolean, reason: string) {
  const verdict = isAllowedNode({ host: node, port: 1 }, { host: own, port: 2 }, allowed)
  assert.equal(verdict, expected, `${node} of ${own}, allowed ${JSON.stringify(allowed)}: ${reason}`)
}

describe('the poller sends credentials to', () => {
  test('the bootstrap host, in any spelling', () => {
    check(bootstrap, bootstrap, [], true, 'the host itself')
    check('DTS-CN-Hangzhou.aliyuncs.com', bootstrap, [], true, 'host names ignore case')
    check(`${bootstrap}.`, bootstrap, [], true, 'a dot at its end')
    check(bootstrap, `${bootstrap}.`, [], true, 'a dot at the end of ours')
    check('203.0.113.7', '203.0.113.7', [], true, 'a public address that is the bootstrap address')
    check('::ffff:203.0.113.7', '203.0.113.7', [], true, 'the same one as an IPv6 address')
    check('2001:0db8:0::1', '2001:db8::1', [], true, 'an IPv6 address in another form')
    check('169.254.7.7', '169.254.7.7', [], true, 'the user has chosen it')
  })

  test('hosts of the same endpoint, but not every host of the provider', () => {
    const cases: [node: string, own: string, expected: boolean, reason: string][] = [
      ['dts-cn-hangzhou-vpc.aliyuncs.com', bootstrap, true, 'the endpoint within a VPC'],
      [
        'dts-cn-hangzhou-internal.aliyuncs.com',
        'dts-cn-hangzhou-vpc.aliyuncs.com',
        true,
        'another network of the endpoint',
      ],
      [bootstrap, 'dts-cn-hangzhou-vpc.aliyuncs.com', true, 'the endpoint outside the VPC'],
      ['node7.dts-cn-hangzhou.aliyuncs.com.', bootstrap, true, 'a subdomain of the bootstrap host'],
      ['node1.aliyuncs.com', bootstrap, false, 'another host of the provider'],
      ['bucket.oss-cn-hangzhou.aliyuncs.com', bootstrap, false, 'a host that any customer can create'],
      ['dts-cn-hangzhou.fc.aliyuncs.com', bootstrap, false, 'the name in another domain of the provider'],
      ['dts-cn-hangzhou2.aliyuncs.com', bootstrap, false, 'a name with the same beginning'],
      ['dts-cn-beijing.aliyuncs.com', bootstrap, false, 'another region'],
      ['a.dts-cn-hangzhou-vpc.aliyuncs.com', bootstrap, false, 'a subdomain of another host'],
      [`evil${bootstrap}`, bootstrap, false, 'a name with the same end'],
      [`${bootstrap}.evil.com`, bootstrap, false, 'the host as a part of another'],
      ['aliyuncs.com', bootstrap, false, 'the parent domain itself'],
      ['a-b.com', 'a.com', false, 'a top-level domain proves nothing'],
      ['dts-vpc', 'dts', false, 'names without a domain'],
      ['203.0.113.7-vpc', '203.0.113.7', false, 'addresses have no siblings'],
      ['203.0.113.8', '203.0.113.7', false, 'addresses have no neighbours'],
    ]
    for (const [node, own, expected, reason] of cases) check(node, own, [], expected, reason)
  })

  test('addresses of private networks', () => {
    const cases: [node: string, expected: boolean, reason: string][] = [
      ['10.1.2.3', true, 'class A'],
      ['172.16.0.1', true, 'lowest of class B'],
      ['172.31.255.1', true, 'highest of class B'],
      ['172.15.0.1', false, 'below'],
      ['172.32.0.1', false, 'above'],
      ['192.168.7.7', true, 'class C'],
      ['192.169.0.1', false, 'above'],
      ['100.64.0.1', true, 'shared address space, which Alibaba Cloud uses internally'],
      ['100.63.0.1', false, 'below'],
      ['100.128.0.1', false, 'above'],
      ['fd00::1', true, 'IPv6'],
      ['FD12:3456:789a::1', true, 'in another case'],
      ['fc00::1', true, 'the other half of the private block'],
      ['fe00::1', false, 'above'],
      ['::ffff:10.0.0.1', true, 'IPv4 within IPv6'],
      ['::ffff:a00:1', true, 'the same in hexadecimal'],
      ['0:0:0:0:0:ffff:10.0.0.1', true, 'the same in full'],
      ['::ffff:203.0.113.7', false, 'a public one within IPv6'],
      ['64:ff9b::a00:1', false, 'translated by the network'],
      ['203.0.113.7', false, 'public'],
      ['2001:db8::1', false, 'public, IPv6'],
      ['10.evil.com', false, 'a name that looks like an address'],
      ['10.1', false, 'a short form that only a resolver takes for an address'],
      ['167772161', false, '10.0.0.1 as a number'],
      ['224.0.0.1', false, 'multicast'],
    ]
    for (const [node, expected, reason] of cases) check(node, bootstrap, [], expected, reason)
  })

  const own = ['127.0.0.1', '127.1.2.3', '0.0.0.0', 'localhost', 'localhost.', 'db.localhost', '::1', '::']
  const ofThisMachine = [...own, '::ffff:127.0.0.1', '0:0::1']
  test('this machine, but only if the bootstrap host is this machine', () => {
    for (const node of ofThisMachine) {
      check(node, bootstrap, [], false, 'a remote broker names this machine')
      check(node, '10.1.2.3', [], false, 'a private broker names this machine')
      check(node, '127.0.0.1', [], true, 'a local stack')
      check(node, 'localhost', [], true, 'a local stack by name')
      check(node, '::1', [], true, 'a local stack over IPv6')
    }
  })

  const metadataServices = [
    ['169.254.169.254', 'the metadata service'],
    ['169.254.170.2', 'the credentials of a task'],
    ['169.254.0.1', 'link-local'],
    ['::ffff:169.254.169.254', 'within IPv6'],
    ['fe80::1', 'link-local, IPv6'],
    ['fe80::1%eth0', 'with a zone'],
    ['febf::1', 'the end of link-local'],
    ['100.100.100.200', 'the metadata service of Alibaba Cloud, in the shared address space'],
    ['fd00:ec2::254', 'the IPv6 metadata service of AWS, in the private address space'],
  ] as const
  test('link-local addresses and metadata services only if the list names them exactly', () => {
    for (const [node, reason] of metadataServices) {
      check(node, bootstrap, [], false, reason)
      check(node, '127.0.0.1', [], false, `${reason}, from a local stack`)
      check(node, bootstrap, ['*', '*.254', '*.200'], false, `${reason}, by a pattern`)
      check(node, bootstrap, [node], true, `${reason}, on the list itself`)
    }
    for (const node of ofThisMachine) {
      check(node, bootstrap, ['*'], false, 'this machine, by a pattern')
      check(node, bootstrap, [node], true, 'this machine, on the list itself')
    }
  })

  test('hosts on the list, in addition to these rules', () => {
    const cases: [node: string, allowed: string[], expected: boolean, reason: string][] = [
      ['203.0.113.7', ['203.0.113.7'], true, 'an address'],
      ['::ffff:203.0.113.7', ['203.0.113.7'], true, 'the same address within IPv6'],
      ['2001:db8::7', ['[2001:0db8::7]'], true, 'an IPv6 address in brackets'],
      ['203.0.113.7', ['*'], true, 'any'],
      ['n1.dts.example.com', ['*.example.com'], true, 'a pattern'],
      ['N1.example.com', ['*.EXAMPLE.com.'], true, 'a pattern in another case, with a dot at the end'],
      ['n1.example.com.', ['n1.example.com'], true, 'a node with a dot at the end'],
      ['example.com', ['*.example.com'], false, 'the pattern needs a name in front'],
      ['evilexample.com', ['*.example.com'], false, 'the dot counts'],
      ['10.1.2.3', ['*.example.com'], true, 'private addresses stay allowed'],
      ['fd00::1', ['*.example.com'], true, 'private IPv6 addresses stay allowed'],
      ['dts-cn-hangzhou-vpc.aliyuncs.com', ['*.example.com'], true, 'hosts of the endpoint stay allowed'],
      [bootstrap, ['*.example.com'], true, 'the bootstrap host stays allowed'],
      ['203.0.113.8', ['203.0.113.7'], false, 'neither the list nor a rule names it'],
    ]
    for (const [node, allowed, expected, reason] of cases) check(node, bootstrap, allowed, expected, reason)
  })
})

test('an address is a host name or an IP address with a valid port', () => {
  const ok = ['dts', 'dts.', 'node_1.example.com', '10.0.0.1', 'fd00::1', 'fe80::1%eth0']
  for (const host of ok) assert.ok(isAddress({ host, port: 18001 }), host)
  const never = ['', ' ', '.', 'a..b', 'a b', 'a\nb', '\u001b[31m', 'http://a', 'a:1', 'a'.repeat(255), 'ä']
  for (const host of never) assert.ok(!isAddress({ host, port: 18001 }), JSON.stringify(host))
  for (const port of [1, 65_535]) assert.ok(isAddress({ host: 'dts', port }))
  for (const port of [-1, 0, 65_536, 1.5]) assert.ok(!isAddress({ host: 'dts', port }), String(port))
})

test('the list of allowed nodes accepts hosts, addresses and patterns', () => {
  const ok = ['*', '*.example.com', 'n1.example.com', '203.0.113.7', 'fd00::1', '[fd00::1]']
  for (const part of ok) assert.ok(isNodePattern(part), part)
  const never = [
    '*.',
    '**',
    'n*.example.com',
    'example.com:18001',
    '203.0.113.7:1',
    'http://a',
    '10.0.0.0/8',
    '[a',
  ]
  for (const part of never) assert.ok(!isNodePattern(part), part)
})

test('two spellings of one host and port are the same address', () => {
  const same = (left: string, right: string, port = 1) =>
    isSameAddress({ host: left, port: 1 }, { host: right, port })
  assert.ok(same('DTS.example.com', 'dts.example.com.'))
  assert.ok(same('::ffff:10.0.0.1', '10.0.0.1'))
  assert.ok(!same('dts.example.com', 'dts.example.com', 2), 'another port')
  assert.ok(!same('a.example.com', 'b.example.com'))
})

test('an IPv6 address is printed in brackets', () => {
  assert.equal(formatAddress({ host: 'dts', port: 1 }), 'dts:1')
  assert.equal(formatAddress({ host: 'fd00::1', port: 1 }), '[fd00::1]:1')
})
