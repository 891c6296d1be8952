import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatAddress, isAllowedNode } from '../../../lib/kafka/address.ts'

test('which nodes may get the credentials', () => {
  const bootstrap = 'dts-cn-hangzhou.aliyuncs.com'
  const cases: [node: string, bootstrap: string, allowed: string[], expected: boolean, reason: string][] = [
    [bootstrap, bootstrap, [], true, 'the bootstrap host itself'],
    ['DTS-CN-Hangzhou.aliyuncs.com', bootstrap, [], true, 'host names know no case'],
    ['node1.aliyuncs.com', bootstrap, [], true, 'a sibling'],
    ['a.node1.aliyuncs.com', bootstrap, [], true, 'below the parent domain'],
    ['aliyuncs.com.evil.com', bootstrap, [], false, 'the domain as a part of another'],
    ['evilaliyuncs.com', bootstrap, [], false, 'a name that only ends so'],
    ['aliyuncs.com', bootstrap, [], false, 'the parent domain itself'],
    ['b.com', 'a.com', [], false, 'a top-level domain vouches for nobody'],
    ['host', 'other', [], false, 'names without a domain'],
    ['10.1.2.3', bootstrap, [], true, 'private, class A'],
    ['172.16.0.1', bootstrap, [], true, 'private, lowest of class B'],
    ['172.31.255.1', bootstrap, [], true, 'private, highest of class B'],
    ['172.15.0.1', bootstrap, [], false, 'below'],
    ['172.32.0.1', bootstrap, [], false, 'above'],
    ['192.168.7.7', bootstrap, [], true, 'private, class C'],
    ['100.64.0.1', bootstrap, [], true, 'shared address space, which Alibaba Cloud uses inside'],
    ['100.128.0.1', bootstrap, [], false, 'behind it'],
    ['127.0.0.1', bootstrap, [], true, 'this machine'],
    ['localhost', bootstrap, [], true, 'this machine by name'],
    ['203.0.113.7', bootstrap, [], false, 'public'],
    ['169.254.169.254', bootstrap, [], false, 'the metadata service'],
    ['10.evil.com', bootstrap, [], false, 'a name that looks like an address'],
    ['203.0.113.8', '203.0.113.7', [], false, 'addresses have no siblings'],
    ['fd00::1', bootstrap, [], false, 'IPv6 has to be allowed by name'],
    ['203.0.113.7', bootstrap, ['203.0.113.7'], true, 'on the list'],
    ['203.0.113.7', bootstrap, ['*'], true, 'any'],
    ['n1.dts.example.com', bootstrap, ['*.example.com'], true, 'a pattern'],
    ['N1.example.com', bootstrap, ['*.EXAMPLE.com'], true, 'a pattern in another case'],
    ['example.com', bootstrap, ['*.example.com'], false, 'the pattern needs a name in front'],
    ['evilexample.com', bootstrap, ['*.example.com'], false, 'the dot counts'],
    ['10.1.2.3', bootstrap, ['*.example.com'], false, 'a list replaces the rules without one'],
    [bootstrap, bootstrap, ['*.example.com'], true, 'the bootstrap host was the user’s own choice'],
  ]
  for (const [node, own, allowed, expected, reason] of cases) {
    const verdict = isAllowedNode({ host: node, port: 1 }, { host: own, port: 2 }, allowed)
    assert.equal(verdict, expected, `${node}: ${reason}`)
  }
})

test('addresses as text', () => {
  assert.equal(formatAddress({ host: 'dts', port: 1 }), 'dts:1')
  assert.equal(formatAddress({ host: 'fd00::1', port: 1 }), '[fd00::1]:1')
})
