import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { until } from '../rig/context.ts'
import { alive, Writer } from '../support/records.ts'
import type { Start } from '../support/world.ts'

/** A stream whose handler fails at the change with the id 5, and a time before its first failure. */
export async function failingStream(
  start: Start,
  t: TestContext,
  environment: Readonly<Record<string, string>>,
) {
  const world = await start(t)
  await world.source.append([...new Writer().inserts('shop.orders', 0, 9), alive()])
  let refusals = 0
  world.onChange = ({ what }) => {
    if (what !== 5) return
    refusals += 1
    throw new Error('not today')
  }
  const begun = Date.now()
  await world.poll({ environment, remainingMs: until(() => refusals > 0) })
  assert.ok(refusals > 0)
  return { world, begun }
}
