import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { writeAdoption } from '../../infra/adoption.ts'

test('table and queue of a removed stack can be imported: a template with only these, and their identifiers', () => {
  const folder = mkdtempSync(join(tmpdir(), 'adoption-'))
  const table = { Type: 'AWS::DynamoDB::Table', Properties: { TableName: 'shop-prod-checkpoint' } }
  const queue = { Type: 'AWS::SQS::Queue', Properties: { QueueName: 'shop-prod-dead-letters.fifo' } }
  try {
    writeAdoption(folder, {
      CheckpointTable: table,
      DeadLetterQueue: queue,
      Other: { Type: 'AWS::SNS::Topic' },
    })
    const read = (name: string): unknown => JSON.parse(readFileSync(join(folder, name), 'utf8'))
    assert.deepEqual(read('adopt-template.json'), {
      Resources: { CheckpointTable: table, DeadLetterQueue: queue },
    })
    assert.deepEqual(read('adopt-resources.json'), [
      {
        ResourceType: 'AWS::DynamoDB::Table',
        LogicalResourceId: 'CheckpointTable',
        ResourceIdentifier: { TableName: 'shop-prod-checkpoint' },
      },
      {
        ResourceType: 'AWS::SQS::Queue',
        LogicalResourceId: 'DeadLetterQueue',
        ResourceIdentifier: { QueueUrl: 'QUEUE_URL' },
      },
    ])
  } finally {
    rmSync(folder, { recursive: true })
  }
})
