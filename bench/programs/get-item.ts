/** Reads an item of the checkpoint table with the SDK: the smallest thing that a function with a state can do. */
import { DynamoDBClient, GetItemCommand } from '@aws-sdk/client-dynamodb'
import { answerCalls } from '../ground/calls.ts'
import { type Usage, usage } from './usage.ts'

const client = new DynamoDBClient({})

async function get(times: number): Promise<Usage & { readonly at: number }> {
  for (let time = 0; time < times; time++) {
    await client.send(
      new GetItemCommand({ TableName: process.env.CHECKPOINT_TABLE ?? '', Key: { pk: { S: 'none' } } }),
    )
  }
  return { ...usage(), at: performance.timeOrigin + performance.now() }
}

const answers = { get }
export type GetItem = typeof answers
answerCalls(answers, { call: 'get', argument: 1 })
