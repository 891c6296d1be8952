import {
  type AttributeValue,
  ConditionalCheckFailedException,
  type UpdateItemCommandInput,
} from '@aws-sdk/client-dynamodb'
import { holds, updated } from '../../lib/handler/testing/memory/evaluate.ts'
import { parseCondition, parseUpdate } from '../../lib/handler/testing/memory/parse.ts'

export type Item = Record<string, AttributeValue>

/** One DynamoDB item in this process. */
export class ItemTable {
  #item: Item | undefined
  readonly #written: (before: Item | undefined, after: Item, input: UpdateItemCommandInput) => void

  constructor(written: (before: Item | undefined, after: Item, input: UpdateItemCommandInput) => void) {
    this.#written = written
  }

  get item(): Item | undefined {
    return this.#item
  }

  /** Replaces or deletes the item without any condition, like a restore from a backup. */
  replace(item: Item | undefined): void {
    this.#item = item
  }

  /** @returns what DynamoDB answers @throws ConditionalCheckFailedException */
  update(input: UpdateItemCommandInput): { Attributes?: Item } {
    const before = this.#item
    const names = input.ExpressionAttributeNames
    const values = input.ExpressionAttributeValues ?? {}
    if (!holds(parseCondition(input.ConditionExpression ?? '', names), before ?? {}, values)) {
      const message = 'The conditional request failed'
      const isAsked = input.ReturnValuesOnConditionCheckFailure === 'ALL_OLD' && before !== undefined
      throw new ConditionalCheckFailedException({
        message,
        $metadata: {},
        ...(isAsked ? { Item: before } : {}),
      })
    }
    const after = updated(parseUpdate(input.UpdateExpression ?? '', names), before ?? input.Key ?? {}, values)
    this.#item = after
    this.#written(before, after, input)
    return input.ReturnValues === 'ALL_NEW' ? { Attributes: after } : {}
  }
}
