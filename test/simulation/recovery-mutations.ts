import type { Mutant } from './mutant.ts'

const store = 'lib/checkpoint/store.ts'
const ordinals = 'lib/log/statement-ordinals.ts'
const assess = 'lib/recovery/move/assess.ts'
const anchors = 'lib/log/find-anchors.ts'
const landing = 'lib/recovery/move/landing.ts'
const reset = 'lib/recovery/move/reset.ts'
const group = 'lib/log/group.ts'

/** Faults in how a stream goes on after a cluster change, and in what the checkpoint keeps for it. */
export const recoveryMutants: readonly Mutant[] = (
  [
    {
      name: 'anchor: compared without its digest',
      file: anchors,
      find: 'else if (timestamp === wanted.timestamp && this.#digest(value, header) === wanted.digest)',
      put: 'else if (timestamp === wanted.timestamp && this.#digest(value, header) !== null)',
    },
    {
      name: 'anchor: going on at it instead of behind it',
      file: assess,
      find: 'offset: main.anchor.offset + 1n',
      put: 'offset: main.anchor.offset',
    },
    {
      name: 'anchor: taken for the one that is wanted in a statement that is cut off',
      file: anchors,
      find: 'if (ordinal === null) return false',
      put: 'if (ordinal === null) return true',
    },
    {
      name: 'anchor: of equal rows the first, whatever the number',
      file: anchors,
      find: 'if (isOnlyOne || (ordinal !== null && ordinal === this.wanted.ordinal)) {',
      put: 'if (isOnlyOne || (ordinal !== null && this.wanted.ordinal !== null)) {',
    },
    {
      name: 'anchor: not waited for where the log ends within equal rows',
      file: assess,
      find: '  if (main?.unfinished) throw notThereYet(stream, times.last, read, look)\n',
      put: '',
    },
    {
      name: 'anchor: counted anew after each commit',
      file: ordinals,
      find: 'return base.ordinal === null ? null : base.ordinal + 1 + count',
      put: 'return count',
    },
    {
      name: 'anchor: a statement is counted from where reading began',
      file: ordinals,
      find: 'if (base === null) return null',
      put: 'if (base === null) return count',
    },
    {
      name: 'lanes: their anchors are ignored',
      file: assess,
      find: 'const here = anchor === null ? undefined : found.get(anchor)',
      put: 'const here = anchor === null ? undefined : found.get({ ...anchor })',
    },
    {
      name: 'lanes: ahead by offsets of the old log',
      file: assess,
      find: 'if (here?.exact !== true) forgottenUntil',
      put: 'if (here === undefined) kept[name] = { through, anchor, trouble: null }\n    if (here?.exact !== true) forgottenUntil',
    },
    {
      name: 'lanes: stored without their anchors',
      file: 'lib/log/anchor.ts',
      find: 'anchor: known ?? anchorAt(through)',
      put: 'anchor: known',
    },
    {
      name: 'lanes: found again whoever their changes come to',
      file: 'lib/log/anchor.ts',
      find: 'JSON.stringify([identityOf(value, header), keys, logical])',
      put: 'JSON.stringify([identityOf(value, header), keys.length * 0, logical])',
    },
    {
      name: 'lanes: what one forgets is not marked as a replay',
      file: assess,
      find: 'Math.max(until, anchor.timestamp + leastMargin, youngest)',
      put: 'until',
    },
    {
      name: 'lanes: keep their lead over a place that somebody names',
      file: landing,
      find: 'return { landing, known, lead: forgotten, handledUntil: reference.timestamp, handledBelow }',
      put: 'return { landing, known, lead: assessed?.lead ?? forgotten, handledUntil: reference.timestamp, handledBelow }',
    },
    {
      name: 'time: gone on at the highest of all that was committed',
      file: assess,
      find: 'return Math.max(0, Math.min(level, read.anchor?.timestamp ?? level))',
      put: 'return level * 0 + Math.max(0, read.timestamp - leastMargin)',
    },
    {
      name: 'time: the highest of all counts as settled',
      file: 'lib/checkpoint/source-times.ts',
      find: '      this.#follow(time)\n',
      put: '      this.#settle(time)\n',
    },
    {
      name: 'anchor: looked for around its time alone',
      file: anchors,
      find: '    if (place === null) this.settled',
      put: '    if (timestamp > wanted.timestamp + 60) this.settled = true\n    else if (place === null) this.settled',
    },
    {
      name: 'anchor: looked for from the place of its time on alone',
      file: anchors,
      find: 'if (wanted.main !== null && !scan.hasMain) {',
      put: 'if (wanted.main === undefined && !scan.hasMain) {',
    },
    {
      name: 'time: what repeats is not marked',
      file: landing,
      find: 'const handledUntil = isExact ? -1 : reference.timestamp',
      put: 'const handledUntil = isExact ? -1 : -1',
    },
    {
      name: 'time: what an earlier move made repeat is not marked any more',
      file: 'lib/recovery/move/repeats.ts',
      find: 'const anywhere = Math.max(known.replayUntil, ',
      put: 'const anywhere = Math.max(-1, ',
    },
    {
      name: 'time: gone on by it in a log that is still being filled',
      file: assess,
      find: ' || !hasGotThere(last, read, searched))',
      put: ')',
    },
    {
      name: 'place: its time is that of the record that stands there',
      file: landing,
      find: 'time = Math.max(time, timestamp)',
      put: 'void timestamp',
    },
    {
      name: 'gap: not noticed',
      file: assess,
      find: 'if (trimmed || !begunBefore) return',
      put: 'if (trimmed && !begunBefore) return',
    },
    {
      name: 'gap: not noticed within the time that times go back by',
      file: assess,
      find: 'const begunBefore = first <= certainlyBefore(times)',
      put: 'const begunBefore = first <= times.settled',
    },
    {
      name: 'gap: recover accepts it',
      file: reset,
      find: '  if (lost !== null) return null\n',
      put: '',
    },
    {
      name: 'recover: halts while the log is being filled',
      file: reset,
      find: '  const move = await resume(read, stream, { now: entry.at, mayGoOn })\n',
      put: '  const move = await resume(read, stream, { now: entry.at, mayGoOn }).catch(() => null)\n  if (move === null) return null\n',
    },
    {
      name: 'gap: nobody is asked',
      file: reset,
      find: 'if (lost !== null && !event.acceptLoss && !plan.acceptLoss) throw lossNotAccepted(lost, how, acceptStep(event))',
      put: 'void lossNotAccepted',
    },
    {
      name: 'token: the checkpoint may have moved since',
      file: 'lib/recovery/move/token.ts',
      find: "if (madeFrom.checkpoint !== fingerprint(read)) throw outdated('The checkpoint moved')",
      put: '',
    },
    {
      name: 'reset: without epoch and owner',
      file: store,
      within: 'async reset(',
      find: '...held,',
      put: "itIsThere: 'attribute_exists(#pk)',",
    },
    {
      name: 'reset: undoes a pause',
      file: store,
      find: "stateAsItWasRead: '#state = :readState',",
      put: '',
    },
    {
      name: 'reset: the ledger is not written',
      file: store,
      find: 'ledger: encodeJson([...read.ledger, entry].slice(-ledgerLength)),',
      put: 'ledger: encodeJson([...read.ledger, ...[entry].slice(1)].slice(-ledgerLength)),',
    },
    {
      name: 'reset: the generation is not raised',
      file: store,
      find: 'const generation = generationAfter(read.generation, start.entry.at, start.usedGeneration)',
      put: 'const generation = read.generation',
    },
    {
      name: 'generation: one more than the stored one, whatever was used',
      file: store,
      find: 'return Math.max(stored + 1, used + 1, Math.floor(at / 1000))',
      put: 'return stored === 0 ? Math.floor(at / 1000) : stored + 1',
    },
    {
      name: 'fence: changes come in the same generation after a move',
      file: 'lib/poll/outlet.ts',
      find: 'this.#origin = { ...origin, topic, partition }',
      put: 'this.#origin = { ...origin, generation: 1, topic, partition }',
    },
    {
      name: 'restored: not noticed',
      file: group,
      find: '  if (ahead === null) return null\n',
      put: '  if (ahead === null || ahead.timestamp > 0) return null\n',
    },
    {
      name: 'restored: told by the offset that DTS may have changed',
      file: group,
      find: 'place.generation === generation && place.offset > offset',
      put: 'place.generation === generation && committed.offset > offset',
    },
    {
      name: 'restored: what repeats is not marked',
      file: 'lib/recovery/move/known.ts',
      find: "return { by: 'restored', reference, ...notKnown, replayUntil: read.replayUntil }",
      put: "return { by: 'restored', reference, forgotten: unread.forgotten, replayUntil: read.replayUntil }",
    },
    {
      name: 'group: not told of a generation before it delivers',
      file: 'lib/poll/poll.ts',
      find: 'if (!answer.isKnown || generationOf(answer) === generation) return\n',
      put: 'if (!answer.isKnown || generationOf(answer) !== 0) return\n',
    },
    {
      name: 'reset: the cluster id is written by itself',
      file: store,
      within: 'async reset(',
      find: 'clusterId: encodeText(start.clusterId),',
      put: '',
    },
  ] as const
).map((mutant) => ({ kind: 'switch', ...mutant }))
