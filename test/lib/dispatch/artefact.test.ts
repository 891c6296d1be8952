import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { readArtefact, writeArtefact } from '../../../lib/dispatch/artefact.ts'
import { defaultDelivery } from '../../../lib/dispatch/settings.ts'
import { DtsError } from '../../../lib/errors.ts'

const text = writeArtefact({
  '': { 'shop.orders': 'orders', 'shop_*.items_*': { function: 'items', attempts: 3 } },
  crm: { '*': 'crm-all' },
})

function refusal(damaged: string | undefined, source = ''): string {
  try {
    readArtefact(damaged, source, '')
  } catch (error) {
    assert.ok(error instanceof DtsError, String(error))
    assert.deepEqual([error.code, error.retryable], ['ROUTES_INVALID', false])
    assert.deepEqual(error.next, [{ action: 'deploy', change: 'Package the service again' }])
    assert.match(error.message, /Without them no change can be delivered, so nothing was read\.$/)
    return error.message
  }
  throw new assert.AssertionError({ message: `accepted: ${damaged}` })
}

describe('the packaged routes', () => {
  test('come back as they were written, each source on its own, with the prefix of the deployment', () => {
    assert.deepEqual(readArtefact(text, '', 'shop-dev-'), {
      'shop.orders': { ...defaultDelivery, functionName: 'shop-dev-orders' },
      'shop_*.items_*': { ...defaultDelivery, attempts: 3, functionName: 'shop-dev-items' },
    })
    assert.deepEqual(Object.keys(readArtefact(text, 'crm', '')), ['*'])
  })

  test('are refused if the code was built without them', () => {
    assert.match(refusal(undefined), /The code contains no routes/)
  })

  test('are refused if they were cut off at any byte', () => {
    for (let length = 0; length < text.length; length++) {
      assert.match(refusal(text.slice(0, length)), /The routes are damaged/)
    }
  })

  test('are refused if one letter of a route differs', () => {
    assert.match(refusal(text.replace('shop.orders', 'shop.orderz')), /damaged: their digest is wrong/)
    assert.match(refusal(text.replace('"attempts":3', '"attempts":4')), /damaged: their digest is wrong/)
  })

  test('of another version are refused with both versions', () => {
    const later = text.replace('"version":1', '"version":2')
    assert.match(refusal(later), /The routes have version 2, and this code reads version 1/)
  })

  test('are refused if they do not have the source that is asked for', () => {
    assert.match(refusal(text, 'erp'), /no source "erp" \(known: "", "crm"\)/)
    assert.match(refusal(text, 'constructor'), /no source "constructor"/)
  })

  test('are refused if a route leads to anything but a function of the deployment', () => {
    const foreign = writeArtefact({ '': { 'shop.orders': 'arn:aws:lambda:x' } })
    assert.match(refusal(foreign), /The routes are damaged/)
  })

  test('hold a thousand patterns with settings', () => {
    const routes = Object.fromEntries(
      Array.from({ length: 1_000 }, (_, index) => [
        `shop.table_${index}_*`,
        { function: `function_${index % 150}`, attempts: 3, batchSize: 50, concurrency: 4 },
      ]),
    )
    const read = readArtefact(writeArtefact({ '': routes }), '', 'shop-dev-')
    assert.equal(Object.keys(read).length, 1_000)
    assert.equal(read['shop.table_999_*']?.functionName, 'shop-dev-function_99')
  })
})
