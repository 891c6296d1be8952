import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { maskKeyReader } from '../../../lib/connect/mask-key.ts'

const maskKey = { secretId: 'prod/masks' }
const key = '0123456789abcdef'
const unasked = () => assert.fail('AWS was asked')

describe('the key of masks', () => {
  test('is read from its secret or parameter once for each process, without a line break at its end', async () => {
    const asked: string[] = []
    const give = async (id: string) => {
      asked.push(id)
      return `\ufeff${key}\r\n`
    }
    const read = maskKeyReader({ maskKey }, { secret: give, parameter: unasked })
    assert.deepEqual([await read(), await read()], [key, key])
    const parameter = '/prod/masks'
    const other = maskKeyReader({ maskKey: { parameter } }, { secret: unasked, parameter: give })
    assert.deepEqual([await other(), await other(), asked], [key, key, ['prod/masks', parameter]])
  })

  test('of the environment needs no secret, and without a setting there is none', async () => {
    const refuse = { secret: unasked, parameter: unasked }
    assert.equal(await maskKeyReader({ maskKey: { value: key } }, refuse)(), key)
    assert.equal(await maskKeyReader({}, refuse)(), null)
    await assert.rejects(maskKeyReader({ maskKey: { value: 'canary' } }, refuse), {
      code: 'CONFIG_INVALID',
      message: /^MASK_KEY has a key of 6 characters\. Store one of at least 16/,
    })
  })

  const refused: [what: string, read: () => Promise<string | undefined>, message: RegExp][] = [
    [
      'is binary',
      async () => undefined,
      /^The secret prod\/masks is binary: store the key as text\. Without the key of the masks no change/,
    ],
    [
      'is too short',
      async () => 'canary',
      /a key of 6 characters\. Store one of at least 16 .*openssl rand -hex 32/,
    ],
    [
      'cannot be read',
      () => Promise.reject(Object.assign(new Error('canary'), { name: 'AccessDeniedException' })),
      /cannot be read \(AccessDeniedException\)\. .*Check MASK_KEY_SECRET.*no change was delivered/,
    ],
    [
      'does not exist',
      () => Promise.reject(Object.assign(new Error('canary'), { name: 'ResourceNotFoundException' })),
      /does not exist in this account .*store the key there, or correct MASK_KEY_SECRET\./,
    ],
  ]
  for (const [what, secret, message] of refused) {
    test(`is refused if it ${what}, and the next run tries again`, async () => {
      await assert.rejects(
        maskKeyReader({ maskKey }, { secret, parameter: unasked }),
        (error: Error & { code?: string; retryable?: boolean }) => {
          assert.deepEqual([error.code, error.retryable], ['SECRET_UNAVAILABLE', true])
          assert.match(error.message, message)
          assert.doesNotMatch(error.message, /canary/)
          return true
        },
      )
    })
  }
})
