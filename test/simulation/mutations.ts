import type { Kind } from './faults.ts'

/** One hand-made fault in the project's code. */
export interface Mutant {
  readonly name: string
  /** In which worlds it is looked for; `faults` when left out. */
  readonly kind?: Kind
  readonly file: string
  /** Stands there exactly once. */
  readonly find: string
  readonly put: string
}

const store = 'lib/checkpoint/store.ts'
const run = 'lib/run.ts'
const strand = 'lib/dispatch/strand.ts'
const lane = 'lib/dispatch/lane.ts'
const lanes = 'lib/dispatch/lanes.ts'
const trail = 'lib/trail.ts'
const assess = 'lib/recovery/assess.ts'
const anchors = 'lib/recovery/anchors.ts'
const landing = 'lib/recovery/landing.ts'
const reset = 'lib/recovery/reset.ts'

/** What the simulation must be able to see. */
export const mutants: readonly Mutant[] = [
  {
    name: 'late write: epoch and owner conditions removed',
    file: store,
    find: "  epochIsOurs: '#epoch = :epoch',\n  ownerIsUs: '#owner = :owner',\n",
    put: '',
  },
  {
    name: 'commit: the offset may go back',
    file: store,
    // Together: an older commit of the same holder has an older lease too, so that either refuses it.
    find: "        offsetDoesNotGoBack: '#offset <= :newOffset',\n        // An earlier commit that arrives late would end the lease before its holder expects it to.\n        leaseDoesNotGetShorter: '#leaseUntil <= :set_leaseUntil',\n",
    put: '',
  },
  {
    name: 'commit: a lease may be made shorter by a late one',
    file: store,
    find: "        leaseDoesNotGetShorter: '#leaseUntil <= :set_leaseUntil',\n",
    put: '',
  },
  {
    name: 'commit: accepted after the lease was given back',
    file: store,
    find: "        leaseIsNotGivenBack: '#leaseUntil > :givenBack',\n",
    put: '',
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
    find: "        leaseRanOut: '#leaseUntil < :expiry',\n",
    put: '',
  },
  {
    name: 'acquire: epoch may have moved since the read',
    file: store,
    find: "        nobodyTookItSinceTheRead: '#epoch = :readEpoch',\n        // A",
    put: '        // A',
  },
  {
    name: 'acquire: a write since the read is not noticed',
    file: store,
    find: "        nobodyWroteSinceTheRead: '#leaseUntil = :readLeaseUntil',\n",
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
    find: 'const offset = this.#lanes.firstUndone ?? this.#trail.end',
    put: 'const offset = this.#trail.end',
  },
  {
    name: 'permit: the lease is not looked at',
    file: run,
    find: 'if (this.#held.coversInvocation()) return true',
    put: 'return true',
  },
  {
    name: 'permit and loop: an aborted signal is ignored',
    file: run,
    find: 'if (signal.aborted || this.#stopping.signal.aborted || this.#timeLeftMs() <= 0) return false',
    put: 'if (this.#stopping.signal.aborted || this.#timeLeftMs() <= 0) return false',
  },
  {
    name: 'put aside: the lease is not looked at',
    file: run,
    find: 'if (signal.aborted || !this.#held.lasts()) throw leaseRanOut(event)',
    put: 'void [signal, leaseRanOut]',
  },
  {
    name: 'unknown outcome: the lease is given back',
    file: run,
    find: 'const handlerMayRun = this.#lanes.unknownUntil > now()',
    put: 'const handlerMayRun = false',
  },
  {
    name: 'unknown outcome: sent again at once',
    file: strand,
    find: 'this.#wait(first, result.error, this.#unknownUntil)',
    put: 'this.#wait(first, result.error, 0)',
  },
  {
    name: 'unknown outcome taken for an acknowledgement',
    file: strand,
    find: 'this.#wait(first, result.error, this.#unknownUntil)',
    put: 'this.#complete(batch)',
  },
  {
    name: 'held fault counted as the change’s own',
    file: strand,
    find: 'this.#wait(first, result.error, 0)\n        break',
    put: 'await this.#failed(first, batch.length, result.error, false)\n        break',
  },
  {
    name: 'dead letter: committed past one that was not stored',
    file: strand,
    find: '      else this.#wait(event, problem, 0)\n      return\n',
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
    find: "  if (failure.size === 1) return { kind: 'give-up', attempts }\n",
    put: "  if (failure.size >= 1) return { kind: 'give-up', attempts }\n",
  },
  {
    name: 'answer: another batch’s id accepted',
    file: 'lib/dispatch/invoke.ts',
    find: 'if (batchId !== batch.batchId) {',
    put: 'if (batchId === undefined) {',
  },
  {
    name: 'answer: a function error taken for success',
    file: 'lib/dispatch/invoke.ts',
    find: 'if (response.FunctionError !== undefined) {',
    put: "if (response.FunctionError === '') {\n      return null as never\n    }\n    if (response.FunctionError !== undefined) {\n      const through = BigInt(batch.offsets.at(-1) ?? 0)\n      if (answer.includes('Timedout')) return { kind: 'acknowledged', through, error: null }",
  },
  {
    name: 'progress: a lane that is ahead is not stored',
    file: lanes,
    find: 'states[name] = { through: through >= offset ? through : null, trouble }',
    put: 'states[name] = { through: null, trouble }',
  },
  {
    name: 'progress: a lane without events in this run is forgotten',
    file: lanes,
    find: 'if (through !== null || trouble !== null) states[name] = { through, trouble }',
    put: '',
  },
  {
    name: 'progress: strands are set back to the end of their run',
    file: strand,
    find: 'if (offset > this.#through) this.#through = offset',
    put: 'this.#through = offset',
  },
  {
    name: 'progress: strands are passed though one has failed',
    file: lane,
    find: '    if (results.includes(false)) return false\n    const last = run.at(-1)\n',
    put: '    const last = run.at(-1)\n',
  },
  {
    name: 'progress: not stored when the offset stands',
    file: 'lib/checkpoint/held.ts',
    find: 'if (differs(this.#position, this.#stored))',
    put: 'void differs\n    if (this.#position.offset > this.#stored.offset)',
  },
  {
    name: 'progress: what is done during a commit is forgotten',
    file: run,
    find: '      await this.#held.commit(this.#held.position)\n      this.#summary.commits',
    put: '      await this.#held.commit(this.#held.position)\n      this.#dirty = false\n      this.#summary.commits',
  },
  {
    name: 'order: a key change is no barrier',
    file: 'lib/dispatch/key.ts',
    find: 'first === null || rows.some((text) => text !== first)',
    put: 'first === null',
  },
  {
    name: 'order: a change without a key is no barrier',
    file: lane,
    find: 'const end = this.#queue.findIndex(({ keyHash }) => keyHash === null)',
    put: 'const end = -1',
  },
  {
    name: 'log: not proved to be the same',
    kind: 'switch',
    file: 'lib/prove.ts',
    find: 'if (tail === null || tail.offset < earliest) return',
    put: 'if (tail?.offset !== -1n) return',
  },
  {
    name: 'unreadable record: passed over',
    file: run,
    find: "await this.#putAside('', { offset, value, table: '' }, 1, error)",
    put: 'void [offset, value, error]',
  },
  {
    name: 'function: begins a batch that comes too late',
    file: 'lib/dispatch/wire.ts',
    find: 'if (startBefore === null || now < startBefore) return null',
    put: 'if (startBefore === null || now > 0) return null',
  },
  {
    name: 'log: its cluster id is not compared',
    kind: 'switch',
    file: 'lib/prove.ts',
    find: 'if (clusterId !== stream.clusterId) {',
    put: "if (clusterId === '') {",
  },
  {
    name: 'broker: asked without a pause while functions work',
    file: run,
    find: 'this.#lanes.firstUndone === null ? 0 : commitEveryMs',
    put: '0',
  },
  {
    name: 'end of a run: a fetch that is under way is not looked at',
    kind: 'switch',
    file: run,
    find: 'if (!idle || fetching) return null',
    put: 'if (!idle) return null',
  },
  {
    name: 'anchor: compared without its digest',
    kind: 'switch',
    file: anchors,
    find: 'else if (timestamp === wanted.timestamp && this.#digest(value, header) === wanted.digest)',
    put: 'else if (timestamp === wanted.timestamp && this.#digest(value, header) !== null)',
  },
  {
    name: 'anchor: going on at it instead of behind it',
    kind: 'switch',
    file: assess,
    find: 'offset: main.anchor.offset + 1n',
    put: 'offset: main.anchor.offset',
  },
  {
    name: 'anchor: taken for the one that is wanted in a statement that is cut off',
    kind: 'switch',
    file: anchors,
    find: 'if (ordinal === null) return false\n',
    put: 'if (ordinal === null) return true\n',
  },
  {
    name: 'anchor: of equal rows the first, whatever the number',
    kind: 'switch',
    file: anchors,
    find: 'if (isOnlyOne || (ordinal !== null && ordinal === this.wanted.ordinal)) {',
    put: 'if (isOnlyOne || (ordinal !== null && this.wanted.ordinal !== null)) {',
  },
  {
    name: 'anchor: not waited for where the log ends within equal rows',
    kind: 'switch',
    file: assess,
    find: '  if (main?.unfinished) throw notThereYet(stream, times, timestamp)\n',
    put: '',
  },
  {
    name: 'anchor: counted anew after each commit',
    kind: 'switch',
    file: trail,
    find: 'return anchor.ordinal === null ? null : anchor.ordinal + 1 + before',
    put: 'return before',
  },
  {
    name: 'anchor: a statement is counted from where reading began',
    kind: 'switch',
    file: trail,
    find: '    if (anchor === null) return null\n    if (anchor.source',
    put: '    if (anchor === null) return before\n    if (anchor.source',
  },
  {
    name: 'lanes: their anchors are ignored',
    kind: 'switch',
    file: assess,
    find: 'const here = anchor === null ? undefined : found.get(anchor)',
    put: 'const here = anchor === null ? undefined : found.get({ ...anchor })',
  },
  {
    name: 'lanes: ahead by offsets of the old log',
    kind: 'switch',
    file: assess,
    find: '    if (here?.exact !== true) forgottenUntil',
    put: '    if (here === undefined) kept[name] = { through, anchor, trouble: null }\n    if (here?.exact !== true) forgottenUntil',
  },
  {
    name: 'lanes: stored without their anchors',
    kind: 'switch',
    file: trail,
    find: 'known ?? (through === null ? null : this.#anchorAt(this.#indexOf(through), identifyRouted))',
    put: '(identifyRouted.length > 9 ? null : known)',
  },
  {
    name: 'lanes: found again whoever their changes come to',
    kind: 'switch',
    file: 'lib/anchor.ts',
    find: 'JSON.stringify([identityOf(value, header), keys, logical])',
    put: 'JSON.stringify([identityOf(value, header), keys.length * 0, logical])',
  },
  {
    name: 'lanes: what one forgets is not marked as a replay',
    kind: 'switch',
    file: assess,
    find: 'Math.max(until, anchor.timestamp + lookBackSeconds)',
    put: 'until',
  },
  {
    name: 'lanes: keep their lead over a place that somebody names',
    kind: 'switch',
    file: landing,
    find: 'return { landing, lead: forgetLead(read.lanes), handledUntil: read.timestamp, handledBelow }',
    put: 'return { landing, lead: assessed?.lead ?? forgetLead(read.lanes), handledUntil: read.timestamp, handledBelow }',
  },
  {
    name: 'time: no margin for times that go back',
    kind: 'switch',
    file: assess,
    find: 'const offset = await locate(stream, range, timestamp - lookBackSeconds)',
    put: 'const offset = await locate(stream, range, timestamp)',
  },
  {
    name: 'time: what repeats is not marked',
    kind: 'switch',
    file: landing,
    find: 'handledUntil: isExact ? -1 : read.timestamp, handledBelow: null }',
    put: 'handledUntil: -1, handledBelow: null }',
  },
  {
    name: 'time: what an earlier move made repeat is not marked any more',
    kind: 'switch',
    file: 'lib/recovery/repeats.ts',
    find: 'const anywhere = Math.max(read.replayUntil, ',
    put: 'const anywhere = Math.max(-1, ',
  },
  {
    name: 'time: gone on by it in a log that is still being filled',
    kind: 'switch',
    file: assess,
    find: 'if (times.last < timestamp) throw notThereYet(stream, times, timestamp)\n',
    put: '',
  },
  {
    name: 'place: its time is that of the record that stands there',
    kind: 'switch',
    file: landing,
    find: 'time = Math.max(time, timestamp)',
    put: 'void timestamp',
  },
  {
    name: 'gap: not noticed',
    kind: 'switch',
    file: assess,
    find: 'if (trimmed || !begunBefore) return gap(',
    put: 'if (trimmed && !begunBefore) return gap(',
  },
  {
    name: 'gap: not noticed within the time that times go back by',
    kind: 'switch',
    file: assess,
    find: 'const begunBefore = times.first <= timestamp - lookBackSeconds',
    put: 'const begunBefore = times.first <= timestamp',
  },
  {
    name: 'gap: recover accepts it',
    kind: 'switch',
    file: reset,
    find: '  if (move.landing.lost !== null) return null\n',
    put: '',
  },
  {
    name: 'gap: nobody is asked',
    kind: 'switch',
    file: reset,
    find: '  if (landing.lost !== null && !accepted) throw lossNotAccepted(landing.lost, result.how)\n',
    put: '  void [accepted, lossNotAccepted]\n',
  },
  {
    name: 'reset: without epoch and owner',
    kind: 'switch',
    file: store,
    find: "{ ...held, nobodyStoppedOrResumedIt: '#state = :readState' }",
    put: "{ itIsThere: 'attribute_exists(#pk)', nobodyStoppedOrResumedIt: '#state = :readState' }",
  },
  {
    name: 'reset: undoes a pause',
    kind: 'switch',
    file: store,
    find: "{ ...held, nobodyStoppedOrResumedIt: '#state = :readState' }",
    put: "{ ...held, anyState: 'attribute_exists(#state)' }",
  },
  {
    name: 'reset: the ledger is not written',
    kind: 'switch',
    file: store,
    find: 'ledger: encodeJson([...read.ledger, entry].slice(-ledgerLength)),',
    put: 'ledger: encodeJson([...read.ledger, ...[entry].slice(1)].slice(-ledgerLength)),',
  },
  {
    name: 'reset: the generation is not raised',
    kind: 'switch',
    file: store,
    find: 'const generation = read.generation + 1',
    put: 'const generation = read.generation',
  },
  {
    name: 'reset: the cluster id is written by itself',
    kind: 'switch',
    file: store,
    find: "        clusterId: encodeText(start.clusterId),\n        replayUntil: encodeNumber(start.replayUntil),\n        state: encodeText('RUNNING'),\n        halt: encodeJson(null),\n        ledger: encodeJson([...read",
    put: "        replayUntil: encodeNumber(start.replayUntil),\n        state: encodeText('RUNNING'),\n        halt: encodeJson(null),\n        ledger: encodeJson([...read",
  },
]
