import type { AttributeValue, UpdateItemCommandInput } from '@aws-sdk/client-dynamodb'
import { ConditionalCheckFailedException } from '@aws-sdk/client-dynamodb'

export type Item = Record<string, AttributeValue>

/** One DynamoDB item. It knows the expressions that the checkpoint store uses, and throws on any other. */
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
    if (!holds(input.ConditionExpression ?? '', input, before)) {
      const message = 'The conditional request failed'
      const isAsked = input.ReturnValuesOnConditionCheckFailure === 'ALL_OLD' && before !== undefined
      throw new ConditionalCheckFailedException({
        message,
        $metadata: {},
        ...(isAsked ? { Item: before } : {}),
      })
    }
    const after: Item = { ...(before ?? input.Key) }
    const expression = input.UpdateExpression ?? ''
    if (!expression.startsWith('SET ')) throw new SyntaxError(`UpdateExpression: ${expression}`)
    for (const assignment of expression.slice(4).split(', ')) {
      const match = /^(#\w+) = (:\w+)$/.exec(assignment)
      if (match === null) throw new SyntaxError(`assignment: ${assignment}`)
      after[nameOf(input, match[1] ?? '')] = operandOf(input, match[2] ?? '')
    }
    this.#item = after
    this.#written(before, after, input)
    return input.ReturnValues === 'ALL_NEW' ? { Attributes: after } : {}
  }
}

function holds(expression: string, input: UpdateItemCommandInput, item: Item | undefined): boolean {
  return expression.split(' AND ').every((condition) => {
    const exists = /^attribute_(not_)?exists\((#\w+)\)$/.exec(condition)
    if (exists !== null) {
      const found = item?.[nameOf(input, exists[2] ?? '')] !== undefined
      return exists[1] === undefined ? found : !found
    }
    const list = /^(#\w+) IN \((:\w+(?:, :\w+)*)\)$/.exec(condition)
    if (list !== null) {
      const found = item?.[nameOf(input, list[1] ?? '')]
      const values = (list[2] ?? '').split(', ').map((name) => operandOf(input, name))
      return found !== undefined && values.some((value) => compare(found, value) === 0)
    }
    const match = /^(#\w+) (=|<=|<|>=|>) (:\w+)$/.exec(condition)
    if (match === null) throw new SyntaxError(`condition: ${condition}`)
    const found = item?.[nameOf(input, match[1] ?? '')]
    if (found === undefined) return false
    const order = compare(found, operandOf(input, match[3] ?? ''))
    switch (match[2]) {
      case '=':
        return order === 0
      case '<':
        return order < 0
      case '<=':
        return order <= 0
      case '>':
        return order > 0
      default:
        return order >= 0
    }
  })
}

function nameOf({ ExpressionAttributeNames = {} }: UpdateItemCommandInput, placeholder: string): string {
  const name = ExpressionAttributeNames[placeholder]
  if (name === undefined) throw new SyntaxError(`${placeholder} is not named`)
  return name
}

function operandOf({ ExpressionAttributeValues = {} }: UpdateItemCommandInput, placeholder: string) {
  const value = ExpressionAttributeValues[placeholder]
  if (value === undefined) throw new SyntaxError(`${placeholder} has no value`)
  return value
}

function compare(left: AttributeValue, right: AttributeValue): number {
  if (left.N !== undefined && right.N !== undefined) {
    const [a, b] = [BigInt(left.N), BigInt(right.N)]
    return a < b ? -1 : a > b ? 1 : 0
  }
  if (left.S !== undefined && right.S !== undefined) {
    return left.S < right.S ? -1 : left.S > right.S ? 1 : 0
  }
  throw new SyntaxError('operands of two types')
}
