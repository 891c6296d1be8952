import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { parseAccount } from '../../infra/account.ts'
import type { Template } from '../../infra/complete-roles.ts'
import { encryptWith } from '../../infra/encryption.ts'

const key = 'arn:aws-cn:kms:cn-north-1:111122223333:key/0a1b-2c3d'

describe('custom.account', () => {
  test('reserves concurrency and names no key by default', () => {
    assert.deepEqual(parseAccount({}), { reserveConcurrency: true })
  })

  test('takes the key of any partition, and a CloudFormation function', () => {
    assert.equal(parseAccount({ kmsKey: key }).kmsKey, key)
    const imported = { 'Fn::ImportValue': 'key' }
    assert.deepEqual(parseAccount({ kmsKey: imported }).kmsKey, imported)
  })

  const refused: [given: unknown, message: RegExp][] = [
    [{ kmsKey: 'alias/mine' }, /custom\.account\.kmsKey: must be the ARN of a KMS key.*not of an alias/],
    [{ kmsKey: 'arn:aws:kms:eu-west-1:111122223333:alias/mine' }, /must be the ARN of a KMS key/],
    [{ reserveConcurrency: 'no' }, /custom\.account\.reserveConcurrency: /],
    [{ boundary: 'x' }, /custom\.account\.boundary: Unrecognized key/],
  ]
  for (const [given, message] of refused) {
    test(`${JSON.stringify(given)} is refused`, () => {
      assert.throws(() => parseAccount(given), { code: 'CONFIG_INVALID', message })
    })
  }
})

test('a key replaces the queue’s own encryption and leaves other resources as they are', () => {
  const own = { Type: 'AWS::SQS::Queue', Properties: { SqsManagedSseEnabled: true } }
  const template: Template = {
    DeadLetterQueue: {
      Type: 'AWS::SQS::Queue',
      Properties: { FifoQueue: true, SqsManagedSseEnabled: true },
    },
    PollerLogGroup: { Type: 'AWS::Logs::LogGroup', Properties: { RetentionInDays: 30 } },
    Shipments: structuredClone(own),
  }
  encryptWith(template, key)
  assert.deepEqual(template.DeadLetterQueue?.Properties, { FifoQueue: true, KmsMasterKeyId: key })
  assert.deepEqual(template.PollerLogGroup?.Properties, { RetentionInDays: 30, KmsKeyId: key })
  assert.deepEqual(template.Shipments, own)
})
