import type { Mutant } from './mutant.ts'
import { recoveryMutants } from './recovery-mutations.ts'

const conditions = 'lib/checkpoint/conditions.ts'
const run = 'lib/poll/run.ts'
const progress = 'lib/poll/progress.ts'
const decideFile = 'lib/poll/decide.ts'
const outlet = 'lib/poll/outlet.ts'
const intake = 'lib/poll/intake.ts'
const lane = 'lib/dispatch/lane.ts'
const functionQueue = 'lib/dispatch/function-queue.ts'
const stretch = 'lib/dispatch/stretch.ts'
const dispatcher = 'lib/dispatch/dispatcher.ts'

/** Each mutant removes one guard from the code. The simulation must notice every one of them. */
export const mutants: readonly Mutant[] = [
  {
    name: 'late write: accepted without comparing epoch and owner',
    file: conditions,
    find: "epochIsOurs: '#epoch = :epoch', ownerIsUs: '#owner = :owner',",
    put: '',
  },
  {
    name: 'commit: accepted with a lower offset',
    file: conditions,
    // Together: an older commit of the same holder has an older lease too, so that either refuses it.
    find: "offsetDoesNotGoBack: '#offset <= :set_offset', leaseDoesNotGetShorter: '#leaseUntil <= :set_leaseUntil',",
    put: '',
  },
  {
    name: 'commit: a late one shortens the lease',
    file: conditions,
    find: "leaseDoesNotGetShorter: '#leaseUntil <= :set_leaseUntil',",
    put: '',
  },
  {
    name: 'commit: accepted after the lease was released',
    file: conditions,
    find: "leaseIsNotReleased: '#leaseUntil > :released',",
    put: '',
  },
  {
    name: 'group: receives a position before the item has it',
    file: run,
    find: '      await this.#lease.flush()\n',
    put: '      await commitStored(this.#dependencies, this.#stream, this.#lease.position, this.#generation, this.#summary)\n      await this.#lease.flush()\n',
  },
  {
    name: 'acquire: no margin for clock skew',
    file: 'lib/checkpoint/store.ts',
    find: 'now - this.#clockSkewMs',
    put: 'now',
  },
  {
    name: 'acquire: a live lease is taken',
    file: conditions,
    find: "leaseRanOut: '#leaseUntil < :expiry',",
    put: '',
  },
  {
    name: 'acquire: the epoch that was read is not compared',
    file: conditions,
    within: 'export function acquire(',
    find: "epochAsRead: '#epoch = :readEpoch',",
    put: '',
  },
  {
    name: 'acquire: the lease that was read is not compared',
    file: conditions,
    find: "leaseAsRead: '#leaseUntil = :readLeaseUntil',",
    put: '',
  },
  {
    name: 'acquire: a halted stream is taken',
    file: conditions,
    within: 'export function acquire(',
    find: 'states.map((state, index) =>',
    put: "(['RUNNING', 'HALTED'] as const).map((state, index) =>",
  },
  {
    name: 'hand-over: the run that waits acts before it acquired the lease',
    file: 'lib/poll/take-lease.ts',
    find: "await store.acquire(read, owner, now(), leaseUntil, ['RUNNING'])",
    put: "read.wish?.owner === owner ? { owner, epoch: read.epoch + 1, generation: read.generation } : await store.acquire(read, owner, now(), leaseUntil, ['RUNNING'])",
  },
  {
    name: 'hand-over: the lease is released while batches are in flight',
    file: run,
    within: '#settle(): Promise<void>',
    find: 'await this.#dispatcher.ended()',
    put: 'if (this.#lease.wish === null) await this.#dispatcher.ended()',
  },
  {
    name: 'hand-over: new batches start after the lease was released',
    file: run,
    within: '#settle(): Promise<void>',
    find: 'this.#stopping.abort()',
    put: 'if (this.#lease.wish !== null) return Promise.resolve()\n    this.#stopping.abort()',
  },
  {
    name: 'hand-over: the wish takes the lease from its holder',
    file: 'lib/checkpoint/transitions.ts',
    within: 'export function wish(',
    find: 'attributes: { wish: encodeWish(asked) }',
    put: 'attributes: { wish: encodeWish(asked), leaseUntil: encodeLeaseEnd(null) }',
  },
  {
    name: 'hand-over: a wish that arrives late reaches another lease',
    file: conditions,
    within: 'export function wish(',
    find: "sameHolder: '#epoch = :readEpoch',",
    put: '',
  },
  {
    name: 'hand-over: the run that waits uses the checkpoint as it was before it waited',
    file: 'lib/poll/await-lease.ts',
    find: "if (step.do === 'acquire') return item",
    put: "if (step.do === 'acquire') return read",
  },
  {
    name: 'commit: passes changes without an acknowledgement',
    file: progress,
    find: 'dispatcher.firstUndone ?? readWindow.end',
    put: 'readWindow.end',
  },
  {
    name: 'permit: an invocation starts that the lease does not cover',
    file: decideFile,
    find: "return state.leaseCoversInvocation ? 'now' : 'later'",
    put: "return 'now'",
  },
  {
    name: 'permit: a run continues after its signal was aborted',
    file: run,
    find: 'stopping: signal.aborted || this.#stopping.signal.aborted,',
    put: 'stopping: this.#stopping.signal.aborted,',
  },
  {
    name: 'dead letter: stored without a valid lease',
    file: outlet,
    find: 'if (signal.aborted || !this.#lease.lasts()) throw leaseRanOut(event)',
    put: 'void [signal, leaseRanOut]',
  },
  {
    name: 'unknown outcome: the lease is released while the handler may run',
    file: run,
    find: 'const handlerMayRun = mayRunUntil !== null && mayRunUntil > now()',
    put: 'const handlerMayRun = false',
    seed: 2107,
  },
  {
    name: 'unknown outcome: the batch is sent again at once',
    file: lane,
    find: 'this.#wait(first, result.error, endsBy)',
    put: 'this.#wait(first, result.error, null)',
  },
  {
    name: 'unknown outcome: counts as an acknowledgement',
    file: lane,
    find: 'this.#wait(first, result.error, endsBy)',
    put: 'this.#complete(batch)',
  },
  {
    name: 'outage: counts as an attempt of the change',
    file: lane,
    find: 'this.#wait(first, result.error, null) break',
    put: 'await this.#failed(first, cut, 0, result.error, false)\n        break',
  },
  {
    name: 'dead letter: a commit passes one that was not stored',
    file: lane,
    find: 'else this.#wait(event, problem, null) return',
    put: '',
  },
  {
    name: 'dead letter: stored one attempt too early',
    file: 'lib/dispatch/policy.ts',
    find: 'const exhausted = attempts >= delivery.attempts ||',
    put: 'const exhausted = attempts + 1 >= delivery.attempts ||',
  },
  {
    name: 'dead letter: its age includes an outage',
    file: 'lib/dispatch/policy.ts',
    find: 'const since = same && before.attempts > 0 ? before.since : now',
    put: 'const since = same ? before.since : now',
  },
  {
    name: 'dead letter: the first change is stored while its batch still has others',
    file: 'lib/dispatch/policy.ts',
    find: 'if (size === 1 || (size === together && !failure.maySplit))',
    put: 'if (size >= 1)',
  },
  {
    name: 'answer: the id of another batch is accepted',
    file: 'lib/dispatch/invoke.ts',
    find: 'if (batchId !== batch.batchId) {',
    put: 'if (batchId === undefined) {',
  },
  {
    name: 'answer: one that contradicts itself is accepted',
    file: 'lib/dispatch/invoke.ts',
    find: 'if (failure !== undefined && BigInt(failure.offset) !== next?.offset) {',
    put: 'if (failure !== undefined && next === undefined && events.length === 0) {',
  },
  {
    name: 'answer: a function error counts as success',
    file: 'lib/dispatch/invoke.ts',
    find: 'if (response.FunctionError !== undefined) return readFunctionError(functionName, answer)',
    put: "if (response.FunctionError !== undefined) {\n      const through = events.at(-1)?.offset ?? 0n\n      if (answer.includes('Timedout')) return { kind: 'acknowledged', through, error: null }\n      return readFunctionError(functionName, answer)\n    }",
  },
  {
    name: 'progress: a lane that is ahead is not stored',
    file: dispatcher,
    find: 'keep(states, name, aheadOf(offset, through), trouble, begin)',
    put: 'keep(states, name, null, trouble, begin)',
  },
  {
    name: 'progress: a lane without changes in this run is not stored',
    file: dispatcher,
    find: 'keep(states, name, aheadOf(offset, state.through), trouble, begin)',
    put: '',
  },
  {
    name: 'progress: not stored while the offset stays the same',
    file: 'lib/checkpoint/held-lease.ts',
    find: 'if (differs(this.#position, this.#stored))',
    put: 'void differs\n    if (this.#position.offset > this.#stored.offset)',
  },
  {
    name: 'progress: an acknowledgement during a commit is not stored',
    file: progress,
    find: 'await lease.commit(lease.position)',
    put: 'await lease.commit(lease.position)\n      this.#pending = false',
  },
  {
    name: 'order: a changed key does not wait for other lanes',
    file: 'lib/dispatch/order-key.ts',
    find: 'isSame(change, keys) || keyText(change.after, keys) === before ? before : null',
    put: 'before',
  },
  {
    name: 'order: a change that must be alone does not wait for other lanes',
    file: stretch,
    find: 'if (key === null) return !this.#isSpread',
    put: 'if (key === null) return true',
  },
  {
    name: 'order: a change does not wait for one that must be alone',
    file: stretch,
    find: 'if (!this.#isSpread) return false',
    put: '',
  },
  {
    name: 'order: a change does not wait for earlier ones of its table that have another key',
    file: stretch,
    find: 'return columns === key.columns',
    put: 'return true',
  },
  {
    name: 'order: a new stretch begins before the lanes are empty',
    file: functionQueue,
    find: 'if (!this.#isEmpty) return false',
    put: '',
  },
  {
    name: 'order: a change overtakes changes that wait for empty lanes',
    file: functionQueue,
    find: 'if (this.#held.length === 0 && this.#joins(event)) {',
    put: 'if (this.#joins(event)) {',
  },
  {
    name: 'order: changes of a table without a key are spread over the lanes',
    file: 'lib/dispatch/order-key.ts',
    find: 'return keyOfTable(header)',
    put: 'return { hash: hash(String(header.id)), columns: noColumns }',
  },
  {
    name: 'order: keys that a collation treats as equal are in different lanes',
    file: 'lib/dispatch/order-key.ts',
    find: "return typeof value === 'string' ? foldText(value) : String(value)",
    put: 'return foldText(String(value)) && String(value)',
  },
  {
    name: 'order: a key that cannot be folded does not wait for other lanes',
    file: 'lib/dispatch/fold-text.ts',
    find: 'if (!covered.test(unit) || irregular.test(unit)) return null',
    put: 'if (!covered.test(unit) || irregular.test(unit)) return unit',
    seed: 1478,
  },
  {
    name: 'progress: changes that come while a batch is on its way count as done with it',
    file: lane,
    find: 'this.#complete(done)',
    put: 'this.#complete(done === batch.length ? this.#events.length : done)',
  },
  {
    name: 'log: the committed record is not compared',
    kind: 'switch',
    file: 'lib/log/same-log.ts',
    find: 'if (tail === null || tail.offset < earliest) return null',
    put: 'if (tail === null || tail.offset !== -1n) return null',
  },
  {
    name: 'unreadable record: skipped without a dead letter',
    file: intake,
    find: 'await putAside(event, error)',
    put: 'void [event, error]',
  },
  {
    name: 'memory: a slice is released before all of it is done',
    file: 'lib/log/read-window.ts',
    find: 'if (below < read.length) break',
    put: 'if (below < read.length && below === 0) break',
  },
  {
    name: 'packed ahead: used for another batch',
    file: 'lib/dispatch/packed-ahead.ts',
    find: 'const isAhead = ahead?.events[0] === batch[0] && ahead?.events.length === batch.length',
    put: 'const isAhead = ahead !== null',
  },
  {
    name: 'progress: changes that a lane had done before this run are sent again',
    file: functionQueue,
    find: 'if (event.offset > this.#doneBefore) this.#doneBefore = null',
    put: 'if (event.offset > -1n) this.#doneBefore = null',
  },
  {
    name: 'function: starts a batch after its deadline',
    file: 'lib/dispatch/batch-format.ts',
    find: 'if (startBefore === null || now < startBefore) return null',
    put: 'if (startBefore === null || now > 0) return null',
  },
  {
    name: 'log: the cluster id is not compared',
    kind: 'switch',
    file: 'lib/log/same-log.ts',
    find: 'if (clusterId !== stream.clusterId) {',
    put: "if (clusterId === '') {",
  },
  {
    name: 'broker: fetched from without a pause while functions work',
    file: intake,
    find: 'dispatcher.firstUndone === null ? 0 : waitAtWorkMs',
    put: '0',
  },
  {
    name: 'statement: only the table name of its record is used',
    file: 'lib/dispatch/statement-routes.ts',
    find: 'return merged([...ofName, ...ofTables, ...ofDatabases, ...ofPlace])',
    put: 'return merged(ofName)',
  },
  {
    name: 'filter: an update is judged by its after image only',
    file: 'lib/dispatch/row-filter.ts',
    find: 'this.#judge(condition, change, images, whole) || this.#judge(condition, change, images, before)',
    put: 'this.#judge(condition, change, images, whole)',
  },
  {
    name: 'transaction: one that fits is cut',
    file: lane,
    find: 'return this.#cutter.isSearch(first, this.#trouble) ? 0 : this.#hold.leftMs(first)',
    put: 'return 0',
  },
  {
    name: 'transaction: the end of reading counts as its end',
    file: 'lib/dispatch/batch-cut.ts',
    find: "const isLast = transaction?.state === 'ended' && events[to]?.transaction !== transaction",
    put: 'const isLast = events[to]?.transaction !== transaction',
  },
  {
    name: 'transaction: a batch that ends within it counts as its end',
    file: 'lib/dispatch/batch-cut.ts',
    find: "transaction?.state === 'ended' && events[to]?.transaction !== transaction",
    put: "transaction?.state === 'ended'",
  },
  {
    name: 'transaction: a run that begins within it claims its begin',
    file: 'lib/dispatch/source-transaction.ts',
    find: "this.#last !== null && this.#last !== '' && this.#last !== id",
    put: 'true',
  },
  {
    name: 'transaction: a part after another one counts as the first',
    file: 'lib/dispatch/batch-cut.ts',
    find: 'if (transaction === null || transaction === this.#touched) return false',
    put: 'if (transaction === null) return false',
  },
  {
    name: 'transaction: a change that an earlier run has done does not count',
    file: functionQueue,
    find: 'this.lanes[laneIndex(event.key, this.lanes.length)]?.passed(event)',
    put: '',
  },
  {
    name: 'transaction: the checkpoint claims a begin at any change',
    file: lane,
    find: 'return first !== undefined && this.#cutter.isBegin(first) ? first.offset : null',
    put: 'return first !== undefined && first.transaction !== null ? first.offset : null',
  },
  {
    name: 'transaction: a run that comes no further leaves its first change to the next one',
    file: 'lib/poll/transaction-wait.ts',
    find: 'if (!mayEverFetch) return isStart ? 0 : Number.POSITIVE_INFINITY',
    put: 'if (!mayEverFetch) return Number.POSITIVE_INFINITY',
  },
  {
    name: 'transaction: silence does not end the wait',
    file: 'lib/poll/transaction-wait.ts',
    find: 'const silenceMs = atEnd ?',
    put: 'const silenceMs = atEnd && offset < 0n ?',
  },
  {
    name: 'transaction: the search for a failing change cuts one that did not fail as a whole',
    file: 'lib/dispatch/batch-cut.ts',
    find: 'const mostOfFirst = this.isSearch(events[at], trouble) ? limit : this.#delivery.batchSize',
    put: 'const mostOfFirst = limit',
  },
  ...recoveryMutants,
]
