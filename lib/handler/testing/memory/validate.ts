import { isDeepStrictEqual } from 'node:util'
import type { AttributeValue } from '@aws-sdk/client-dynamodb'
import { InvalidExpression, type Tag, tagOf, type Values } from './evaluate.ts'
import { type Condition, type Operand, type Path, pathsOf, type Update } from './parse.ts'

/** The checks that DynamoDB makes before it reads the item. */

const ordered: readonly Tag[] = ['S', 'N', 'B']
const sets: readonly Tag[] = ['SS', 'NS', 'BS']

export function checkCondition(condition: Condition, values: Values): void {
  switch (condition.kind) {
    case 'and':
    case 'or':
      checkCondition(condition.left, values)
      checkCondition(condition.right, values)
      break
    case 'not':
      checkCondition(condition.of, values)
      break
    case 'compare':
      refuseEqual(condition.left, condition.right)
      if (condition.comparison === '=' || condition.comparison === '<>') break
      needs(condition.left, ordered, values)
      needs(condition.right, ordered, values)
      break
    case 'call':
      if (condition.name === 'begins_with') needs(condition.arguments[1], ['S', 'B'], values)
      break
    case 'in':
      break
  }
}

export function checkUpdate(update: Update, values: Values): void {
  for (const { operand } of update.set) checkValue(operand, values)
  for (const { operand } of update.add) needs(operand, ['N', ...sets], values)
  for (const { operand } of update.delete) needs(operand, sets, values)
  const paths = pathsOf(update)
  for (const [index, path] of paths.entries()) {
    const other = paths.slice(index + 1).find((later) => overlap(path, later))
    if (other !== undefined)
      throw new InvalidExpression(`An update cannot write both ${path.join('.')} and ${other.join('.')}.`)
  }
}

function checkValue(operand: Operand, values: Values): void {
  if (operand.kind === 'sum') {
    for (const part of [operand.left, operand.right]) {
      needs(part, ['N'], values)
      checkValue(part, values)
    }
  } else if (operand.kind === 'call' && operand.name === 'list_append') {
    for (const part of operand.arguments) needs(part, ['L'], values)
  }
}

/** Only a value of the request has a type before the item is read. */
function needs(operand: Operand | undefined, tags: readonly Tag[], values: Values): void {
  const value: AttributeValue | undefined = operand?.kind === 'value' ? values[operand.name] : undefined
  if (value === undefined || tags.includes(tagOf(value))) return
  throw new InvalidExpression(
    `A value of the type ${tagOf(value)} cannot be used there; it must be ${tags.join(' or ')}.`,
  )
}

function refuseEqual(left: Operand, right: Operand): void {
  if (left.kind === 'path' && isDeepStrictEqual(left, right))
    throw new InvalidExpression('A comparison needs two different operands.')
}

function overlap(one: Path, other: Path): boolean {
  const length = Math.min(one.length, other.length)
  return isDeepStrictEqual(one.slice(0, length), other.slice(0, length))
}
