import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { readAddress, responsibility } from '../../../lib/recovery/addressee.ts'

const event = { action: 'inspect' }
const one = responsibility({})
const crm = responsibility({ DTS_SOURCE: 'crm' })
const four = responsibility({ DTS_SOURCE: 'erp', DTS_PARTITIONS: '4' })

describe('the address of an event', () => {
  test('is left out for the only stream of a service', () => {
    assert.deepEqual(readAddress(event, one), { event, partition: null })
    assert.deepEqual(readAddress('text', one), { event: 'text', partition: null })
  })

  test('may name the source, which is then no part of the event', () => {
    assert.deepEqual(readAddress({ ...event, source: 'crm' }, crm), { event, partition: null })
    assert.deepEqual(readAddress(event, crm), { event, partition: null })
  })

  test('names one of several partitions', () => {
    assert.deepEqual(readAddress({ ...event, source: 'erp', partition: 3 }, four), { event, partition: 3 })
  })

  test('of dead letters needs no partition: all partitions have one queue', () => {
    for (const action of ['redrive', 'letters', 'discard'])
      assert.deepEqual(readAddress({ action }, four), { event: { action }, partition: 0 })
  })

  const refused = [
    [{ ...event, source: 'erp' }, crm, /recovers the source "crm", and the event is for the source "erp"\./],
    [{ ...event, source: 'crm' }, one, /recovers the stream without a name, .* Leave out "source"/],
    [{ ...event, source: '' }, one, /the source ""/],
    [{ ...event, partition: 0 }, one, /One poller reads this stream, .* partition 0\. Leave out "partition"/],
    [event, four, /a poller for each of its partitions, 0 to 3, and the event names none\. Give "partition"/],
    [{ ...event, partition: 4 }, four, /0 to 3, and the event is for 4\./],
    [{ ...event, partition: -1 }, four, /is for -1\./],
    [{ ...event, partition: 1.5 }, four, /is for 1\.5\./],
    [{ ...event, partition: '1' }, four, /is for "1"\./],
  ] as const
  for (const [given, own, message] of refused) {
    test(`${JSON.stringify(given)} is refused by ${JSON.stringify(own)}`, () => {
      assert.throws(() => readAddress(given, own), { code: 'CONFIG_INVALID', message })
      assert.throws(() => readAddress(given, own), { message: /\. Nothing was done\.$/ })
    })
  }
})
