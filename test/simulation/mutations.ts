import type { Mutant } from './mutant.ts'
import { recoveryMutants } from './recovery-mutations.ts'

const store = 'lib/checkpoint/store.ts'
const run = 'lib/poll/run.ts'
const decideFile = 'lib/poll/decide.ts'
const outlet = 'lib/poll/outlet.ts'
const intake = 'lib/poll/intake.ts'
const lane = 'lib/dispatch/lane.ts'
const functionQueue = 'lib/dispatch/function-queue.ts'
const dispatcher = 'lib/dispatch/dispatcher.ts'

/** What the simulation must be able to see. */
export const mutants: readonly Mutant[] = [
  {
    name: 'late write: epoch and owner conditions removed',
    file: store,
    find: "epochIsOurs: '#epoch = :epoch', ownerIsUs: '#owner = :owner',",
    put: '',
  },
  {
    name: 'commit: the offset may go back',
    file: store,
    // Together: an older commit of the same holder has an older lease too, so that either refuses it.
    find: "offsetDoesNotGoBack: '#offset <= :newOffset', leaseDoesNotGetShorter: '#leaseUntil <= :set_leaseUntil',",
    put: '',
  },
  {
    name: 'commit: a lease may be made shorter by a late one',
    file: store,
    find: "leaseDoesNotGetShorter: '#leaseUntil <= :set_leaseUntil',",
    put: '',
  },
  {
    name: 'commit: accepted after the lease was given back',
    file: store,
    find: "leaseIsNotGivenBack: '#leaseUntil > :givenBack',",
    put: '',
  },
  {
    name: 'group: told of a position before the item has it',
    file: run,
    find: '      await this.#held.flush()\n',
    put: '      await commitToGroup(this.#stream, this.#held.position, this.#generation)\n      await this.#held.flush()\n',
  },
  {
    name: 'acquire: no margin for clock skew',
    file: store,
    find: 'now - this.#clockSkewMs',
    put: 'now',
  },
  {
    name: 'acquire: expiry of the lease not asked for',
    file: store,
    find: "leaseRanOut: '#leaseUntil < :expiry',",
    put: '',
  },
  {
    name: 'acquire: epoch may have moved since the read',
    file: store,
    within: 'async acquire(',
    find: "nobodyTookItSinceTheRead: '#epoch = :readEpoch',",
    put: '',
  },
  {
    name: 'acquire: a write since the read is not noticed',
    file: store,
    find: "nobodyWroteSinceTheRead: '#leaseUntil = :readLeaseUntil',",
    put: '',
  },
  {
    name: 'acquire: in any state',
    file: store,
    find: 'states.map((state, index) =>',
    put: "(['RUNNING', 'HALTED'] as const).map((state, index) =>",
  },
  {
    name: 'commit before acknowledgement',
    file: run,
    find: 'this.#dispatcher.firstUndone ?? this.#readWindow.end',
    put: 'this.#readWindow.end',
  },
  {
    name: 'permit: the lease is not looked at',
    file: decideFile,
    find: "return state.leaseCoversInvocation ? 'now' : 'later'",
    put: "return 'now'",
  },
  {
    name: 'permit and loop: an aborted signal is ignored',
    file: run,
    find: 'stopping: signal.aborted || this.#stopping.signal.aborted,',
    put: 'stopping: this.#stopping.signal.aborted,',
  },
  {
    name: 'put aside: the lease is not looked at',
    file: outlet,
    find: 'if (signal.aborted || !this.#held.lasts()) throw leaseRanOut(event)',
    put: 'void [signal, leaseRanOut]',
  },
  {
    name: 'unknown outcome: the lease is given back',
    file: run,
    find: 'const handlerMayRun = this.#dispatcher.unknownUntil > now()',
    put: 'const handlerMayRun = false',
  },
  {
    name: 'unknown outcome: sent again at once',
    file: lane,
    find: 'this.#wait(first, result.error, this.#unknownUntil)',
    put: 'this.#wait(first, result.error, 0)',
  },
  {
    name: 'unknown outcome taken for an acknowledgement',
    file: lane,
    find: 'this.#wait(first, result.error, this.#unknownUntil)',
    put: 'this.#complete(batch)',
  },
  {
    name: 'held fault counted as the change’s own',
    file: lane,
    find: 'this.#wait(first, result.error, 0) break',
    put: 'await this.#failed(first, batch.length, result.error, false)\n        break',
  },
  {
    name: 'dead letter: committed past one that was not stored',
    file: lane,
    find: 'else this.#wait(event, problem, 0) return',
    put: '',
  },
  {
    name: 'dead letter: before its attempts',
    file: 'lib/dispatch/policy.ts',
    find: 'const exhausted = attempts >= delivery.attempts ||',
    put: 'const exhausted = attempts + 1 >= delivery.attempts ||',
  },
  {
    name: 'dead letter: age counted from an outage',
    file: 'lib/dispatch/policy.ts',
    find: 'const since = same && before.attempts > 0 ? before.since : now',
    put: 'const since = same ? before.since : now',
  },
  {
    name: 'dead letter: a whole batch is given up for its first change',
    file: 'lib/dispatch/policy.ts',
    find: "if (failure.size === 1) return { kind: 'give-up', attempts }",
    put: "if (failure.size >= 1) return { kind: 'give-up', attempts }",
  },
  {
    name: 'answer: another batch’s id accepted',
    file: 'lib/dispatch/invoke.ts',
    find: 'if (batchId !== batch.batchId) {',
    put: 'if (batchId === undefined) {',
  },
  {
    name: 'answer: one that contradicts itself accepted',
    file: 'lib/dispatch/invoke.ts',
    find: 'if (failure !== undefined && BigInt(failure.offset) !== next?.offset) {',
    put: 'if (failure !== undefined && next === undefined && events.length === 0) {',
  },
  {
    name: 'answer: a function error taken for success',
    file: 'lib/dispatch/invoke.ts',
    find: 'if (response.FunctionError !== undefined) return readFunctionError(functionName, answer)',
    put: "if (response.FunctionError !== undefined) {\n      const through = events.at(-1)?.offset ?? 0n\n      if (answer.includes('Timedout')) return { kind: 'acknowledged', through, error: null }\n      return readFunctionError(functionName, answer)\n    }",
  },
  {
    name: 'progress: a lane that is ahead is not stored',
    file: dispatcher,
    find: 'states[name] = { through: through >= offset ? through : null, trouble }',
    put: 'states[name] = { through: null, trouble }',
  },
  {
    name: 'progress: a lane without events in this run is forgotten',
    file: dispatcher,
    find: 'if (through !== null || trouble !== null) states[name] = { through, trouble }',
    put: '',
  },
  {
    name: 'progress: lanes are set back to the end of their run',
    file: lane,
    find: 'if (offset > this.#through) this.#through = offset',
    put: 'this.#through = offset',
  },
  {
    name: 'progress: lanes are passed though one has failed',
    file: functionQueue,
    find: 'if (results.includes(false)) return false',
    put: '',
  },
  {
    name: 'progress: not stored when the offset stands',
    file: 'lib/checkpoint/lease.ts',
    find: 'if (differs(this.#position, this.#stored))',
    put: 'void differs\n    if (this.#position.offset > this.#stored.offset)',
  },
  {
    name: 'progress: what is done during a commit is forgotten',
    file: run,
    find: 'await this.#held.commit(this.#held.position)',
    put: 'await this.#held.commit(this.#held.position)\n      this.#dirty = false',
  },
  {
    name: 'order: a key change is no barrier',
    file: 'lib/dispatch/key.ts',
    find: 'first === null || rows.some((text) => text !== first)',
    put: 'first === null',
  },
  {
    name: 'order: a change without a key is no barrier',
    file: functionQueue,
    find: 'const end = this.#queue.findIndex(({ keyHash }) => keyHash === null)',
    put: 'const end = -1',
  },
  {
    name: 'log: not proved to be the same',
    kind: 'switch',
    file: 'lib/log/same-log.ts',
    find: 'if (tail === null || tail.offset < earliest) return null',
    put: 'if (tail === null || tail.offset !== -1n) return null',
  },
  {
    name: 'unreadable record: passed over',
    file: intake,
    find: 'await putAside(event, error)',
    put: 'void [event, error]',
  },
  {
    name: 'memory: a slice is given back before all of it is done',
    file: 'lib/log/read-window.ts',
    find: 'if (below < read.length) break',
    put: 'if (below < read.length && below === 0) break',
  },
  {
    name: 'packed ahead: taken for another batch',
    file: lane,
    find: 'const isAhead = ahead?.events[0] === batch[0] && ahead?.events.length === batch.length',
    put: 'const isAhead = ahead !== null',
  },
  {
    name: 'progress: what a lane had done before this run is sent again',
    file: functionQueue,
    find: 'if (event.offset > this.#known) this.#known = null',
    put: 'if (event.offset > -1n) this.#known = null',
  },
  {
    name: 'function: begins a batch that comes too late',
    file: 'lib/dispatch/batch-format.ts',
    find: 'if (startBefore === null || now < startBefore) return null',
    put: 'if (startBefore === null || now > 0) return null',
  },
  {
    name: 'log: its cluster id is not compared',
    kind: 'switch',
    file: 'lib/log/same-log.ts',
    find: 'if (clusterId !== stream.clusterId) {',
    put: "if (clusterId === '') {",
  },
  {
    name: 'broker: asked without a pause while functions work',
    file: intake,
    find: 'dispatcher.firstUndone === null ? 0 : waitAtWorkMs',
    put: '0',
  },
  {
    name: 'statement: only the name that it is filed under counts',
    file: 'lib/dispatch/statement-routes.ts',
    find: 'return merged([...ofName, ...ofTables, ...ofDatabases, ...ofPlace])',
    put: 'return merged(ofName)',
  },
  ...recoveryMutants,
]
