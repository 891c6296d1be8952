import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { HeldLease } from '../../../lib/checkpoint/held-lease.ts'
import { haltOf } from '../../../lib/checkpoint/types.ts'
import { DtsError } from '../../../lib/errors.ts'
import { at, CheckpointTable, now, read } from './support.ts'

const terms = { worstCaseMs: 10_000, slackMs: 5_000 }
const facts = { offset: '50', earliest: '70' }
const why = new DtsError('DATA_GAP', 'why', { retryable: false, facts, next: [{ action: 'inspect' }] })

describe('the lease that a run holds', () => {
  const table = new CheckpointTable()

  async function hold() {
    const store = await table.released()
    const clock = { now }
    const leaseUntil = HeldLease.leaseUntil(now, terms)
    const lease = await store.acquire(await read(store), 'a', now, leaseUntil, ['RUNNING'])
    const held = new HeldLease(store, lease, leaseUntil, at(10n), terms, () => clock.now)
    return { store, clock, lease, held }
  }

  test('a lease lasts for the worst case of an invocation and the slack', async () => {
    const { store } = await hold()
    assert.equal((await read(store)).leaseUntil, now + 15_000)
  })

  test('an invocation may start until the slack is used up, and again after a commit has renewed the lease', async () => {
    const { store, clock, held } = await hold()
    clock.now = now + 5_000
    assert.equal(held.coversInvocation(), true)
    clock.now += 1
    assert.equal(held.coversInvocation(), false)
    await held.commit(at(10n))
    assert.equal(held.coversInvocation(), true)
    assert.equal((await read(store)).leaseUntil, clock.now + 15_000)
  })

  test('the next flush or halt stores the position reached', async () => {
    const { store, clock, held } = await hold()
    const stored = async () => (await read(store)).offset
    held.advance(at(30n))
    assert.deepEqual([held.position.offset, await stored()], [30n, 10n])
    await held.commit(at(35n))
    assert.deepEqual([held.position.offset, await stored()], [35n, 35n])
    held.advance(at(40n))
    await held.flush()
    assert.equal(await stored(), 40n)
    held.advance(at(50n))
    await held.halt(why)
    const halted = await read(store)
    assert.deepEqual([halted.offset, halted.state, halted.leaseUntil], [50n, 'HALTED', null])
    assert.deepEqual(haltOf(halted), {
      code: 'DATA_GAP',
      message: 'why',
      facts,
      next: why.next,
      at: clock.now,
    })
  })

  test('a commit under a clock that was set back does not shorten the lease and is not refused', async () => {
    const { store, clock, held } = await hold()
    await held.commit(at(20n))
    clock.now -= 300
    await held.commit(at(30n))
    const { offset, leaseUntil } = await read(store)
    assert.deepEqual([offset, leaseUntil], [30n, now + 15_002])
  })

  test('a run that read the item before a commit does not get the lease, even if the clock was set back', async () => {
    const { store, clock, held } = await hold()
    const found = await read(store)
    clock.now -= 300
    await held.commit(at(20n))
    const later = now + 60_000
    await assert.rejects(store.acquire(found, 'b', later, later + 1_000, ['RUNNING']), { code: 'LEASE_HELD' })
    await store.acquire(await read(store), 'b', later, later + 1_000, ['RUNNING'])
  })

  test('an advance changes only the position in memory until a flush', async () => {
    const { held } = await hold()
    held.advance(at(30n))
    assert.equal(held.stored.offset, 10n)
    await held.flush()
    assert.equal(held.stored.offset, 30n)
  })

  test('a flush writes nothing if the position is stored already', async () => {
    const { store, clock, held } = await hold()
    await held.commit(at(20n))
    clock.now += 1_000
    await held.flush()
    assert.equal((await read(store)).leaseUntil, now + 15_001)
  })

  test('a flush stores the progress of a lane even if the offset stays the same', async () => {
    const { store, held } = await hold()
    const lanes = { orders: { through: 12n, anchor: null, trouble: null } }
    held.advance({ ...at(10n), lanes })
    await held.flush()
    assert.deepEqual((await read(store)).lanes, lanes)
  })

  test('a halt while a handler may be running keeps the stored end of the lease', async () => {
    const { store, clock, held } = await hold()
    clock.now = now + 2_000
    await held.halt(why, true)
    const halted = await read(store)
    assert.deepEqual([halted.state, halted.leaseUntil], ['HALTED', now + 15_000])
  })

  test('a refused commit does not move the position in memory', async () => {
    const { store, clock, held } = await hold()
    const later = now + 60_000
    await store.acquire(await read(store), 'b', later, later + 1_000, ['RUNNING'])
    clock.now = later
    for (const write of [() => held.commit(at(20n)), () => held.release(), () => held.halt(why)]) {
      await assert.rejects(write, { code: 'LEASE_LOST' })
    }
    assert.deepEqual([held.position.offset, held.coversInvocation()], [10n, false])
    const found = await read(store)
    assert.deepEqual([found.owner, found.offset, found.state], ['b', 10n, 'RUNNING'])
  })

  test('another run can take a released lease at once', async () => {
    const { store, held } = await hold()
    await held.release()
    await store.acquire(await read(store), 'b', now, now + 1_000, ['RUNNING'])
  })
})
