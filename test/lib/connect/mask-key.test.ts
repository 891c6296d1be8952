import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { maskKeyReader } from '../../../lib/connect/mask-key.ts'

const maskKey = { secretId: 'prod/masks' }
const key = '0123456789abcdef'

describe('the key of masks', () => {
  test('is read from its secret once for each process, without a line break at its end', async () => {
    const asked: string[] = []
    const read = maskKeyReader({ maskKey }, async (id) => {
      asked.push(id)
      return `\ufeff${key}\r\n`
    })
    assert.deepEqual([await read(), await read(), asked], [key, key, ['prod/masks']])
  })

  test('of the environment needs no secret, and without a setting there is none', async () => {
    const refuse = () => assert.fail('a secret was read')
    assert.equal(await maskKeyReader({ maskKey: { value: key } }, refuse)(), key)
    assert.equal(await maskKeyReader({}, refuse)(), null)
  })

  const refused: [what: string, read: () => Promise<string | undefined>, message: RegExp][] = [
    ['is binary', async () => undefined, /prod\/masks, which MASK_KEY_SECRET names, is binary/],
    [
      'is too short',
      async () => 'canary',
      /a key of 6 characters\. Store one of at least 16 .*openssl rand -hex 32/,
    ],
    [
      'cannot be read',
      () => Promise.reject(Object.assign(new Error('canary'), { name: 'AccessDeniedException' })),
      /cannot be read \(AccessDeniedException\).*no change was delivered/,
    ],
  ]
  for (const [what, secret, message] of refused) {
    test(`is refused if it ${what}, and the next run tries again`, async () => {
      await assert.rejects(
        maskKeyReader({ maskKey }, secret),
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
