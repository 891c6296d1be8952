import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import type { AttributeValue } from '@aws-sdk/client-dynamodb'
import { DtsError, type Facts } from '../../lib/errors.ts'
import { shift, Writer } from '../support/records.ts'
import type { Start, World } from '../support/world.ts'

const resetCommand = `npx serverless invoke -f recovery --data '{"action":"reset"}'`

/** The checkpoint item as DynamoDB has it. */
export type Item = Record<string, AttributeValue> | undefined

/** An attribute of the item that holds JSON. */
export function parsed(item: Item, name: string): unknown {
  return JSON.parse(item?.[name]?.S ?? 'null')
}

/** Asserts that the poller halts with `code`, invokes no function, and does not move until a reset. */
export async function assertHalts(
  world: World,
  code: string,
  message: RegExp,
  environment: Readonly<Record<string, string>> = {},
): Promise<void> {
  const invocations = world.lambda.total
  const before = await world.item()
  let facts: Facts = {}
  await assert.rejects(world.poll({ environment }), (error) => {
    assert.ok(error instanceof DtsError)
    facts = error.facts
    assert.equal(error.code, code)
    assert.match(error.message, message)
    assert.ok(error.message.includes(resetCommand), error.message)
    return true
  })
  const after = await world.item()
  await assert.rejects(world.poll(), (error) => {
    assert.ok(error instanceof DtsError)
    assert.equal(error.code, 'STREAM_HALTED')
    assert.match(error.message, new RegExp(code))
    assert.deepEqual(error.facts, { ...facts, halt: code })
    return true
  })
  assert.equal(world.lambda.total, invocations)
  assert.deepEqual(await world.item(), after)
  assert.deepEqual(after?.state, { S: 'HALTED' })
  for (const name of ['offset', 'timestamp', 'anchor', 'generation', 'clusterId', 'ledger']) {
    assert.deepEqual(after?.[name], before?.[name], name)
  }
}

/** A halted stream with ten delivered changes. Its log was replaced by one that holds them and ten more. */
export async function haltedWorld(start: Start, t: TestContext): Promise<World> {
  const world = await start(t)
  const changes = new Writer().inserts('shop.orders', 0, 19)
  await world.source.append(changes.slice(0, 10))
  await world.poll()
  await world.source.replaceLog([...shift(), ...changes])
  await assert.rejects(world.poll(), { code: 'LOG_CHANGED' })
  return world
}
