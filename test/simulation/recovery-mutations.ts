import type { Mutant } from './mutant.ts'

const conditions = 'lib/checkpoint/conditions.ts'
const transitions = 'lib/checkpoint/transitions.ts'
const ordinals = 'lib/log/statement-ordinals.ts'
const assess = 'lib/recovery/move/assess.ts'
const anchors = 'lib/log/find-anchors.ts'
const choose = 'lib/recovery/move/choose-place.ts'
const laneProgress = 'lib/recovery/move/lanes.ts'
const progress = 'lib/log/progress.ts'
const reset = 'lib/recovery/move/reset.ts'
const group = 'lib/log/group.ts'

/** Mutants of recovery, and of the data that the checkpoint keeps for it. */
export const recoveryMutants: readonly Mutant[] = (
  [
    {
      name: 'anchor: compared without its digest',
      file: anchors,
      find: 'else if (timestamp === wanted.timestamp && this.#digest(value, header) === wanted.digest)',
      put: 'else if (timestamp === wanted.timestamp && this.#digest(value, header) !== null)',
    },
    {
      name: 'anchor: the stream continues at it, not after it',
      file: assess,
      find: 'offset: anchor.offset + 1n',
      put: 'offset: anchor.offset',
    },
    {
      name: 'anchor: accepted in a statement whose beginning the log lacks',
      file: anchors,
      find: 'if (ordinal === null) return false',
      put: 'if (ordinal === null) return true',
    },
    {
      name: 'anchor: the first of equal rows, whatever the ordinal',
      file: anchors,
      find: 'if (isOnlyOne || (ordinal !== null && ordinal === this.wanted.ordinal)) {',
      put: 'if (isOnlyOne || (ordinal !== null && this.wanted.ordinal !== null)) {',
    },
    {
      name: 'anchor: absent although the log ends within equal rows',
      file: assess,
      find: 'if (unfinished) return notThereYet(log, last, read, now)\n',
      put: 'void [unfinished, last]\n',
    },
    {
      name: 'anchor: the ordinal starts again at each commit',
      file: ordinals,
      find: 'return base.ordinal === null ? null : base.ordinal + 1 + count',
      put: 'return count',
    },
    {
      name: 'anchor: the ordinal counts from the place where reading began',
      file: ordinals,
      find: 'if (base === null) return null',
      put: 'if (base === null) return count',
    },
    {
      name: 'lanes: a reset ignores their anchors',
      file: laneProgress,
      find: 'const here = anchor === null ? undefined : found.get(anchor)',
      put: 'const here = anchor === null ? undefined : found.get({ ...anchor })',
    },
    {
      name: 'lanes: a reset keeps their offsets of the old log',
      file: laneProgress,
      find: 'if (here?.exact !== true) forgottenUntil',
      put: 'if (here === undefined) kept[name] = { through, anchor, trouble: null }\n    if (here?.exact !== true) forgottenUntil',
    },
    {
      name: 'lanes: a commit stores them without their anchors',
      file: 'lib/log/anchor.ts',
      find: 'anchor: unmoved ?? anchorAt(through)',
      put: 'anchor: unmoved',
    },
    {
      name: 'lanes: a reset keeps a lane that no longer gets the change',
      file: 'lib/log/anchor.ts',
      find: 'JSON.stringify([identityOf(value, header), keys, logical])',
      put: 'JSON.stringify([identityOf(value, header), keys.length * 0, logical])',
    },
    {
      name: 'lanes: repeats of a lane that a reset drops are not marked',
      file: laneProgress,
      find: 'Math.max(until, anchor.timestamp + leastMargin, youngest)',
      put: 'until',
    },
    {
      name: 'lanes: stay ahead after a reset to a place that a person names',
      file: choose,
      find: 'const lanes = forgottenLanes(read, source)',
      put: 'const lanes =\n    read !== null && comparison !== null ? keptLanes(read, comparison, offset) : forgottenLanes(read, source)',
    },
    {
      name: 'time: the reset starts at the highest committed time',
      file: progress,
      find: 'return Math.max(0, Math.min(level, read.anchor?.timestamp ?? level))',
      put: 'return level * 0 + Math.max(0, read.timestamp - 10)',
    },
    {
      name: 'time: the highest time counts as the settled time',
      file: 'lib/checkpoint/source-times.ts',
      find: '      this.#follow(time)\n',
      put: '      this.#settle(time)\n',
    },
    {
      name: 'anchor: searched for near its time only',
      file: anchors,
      find: '    if (place === null) this.settled',
      put: '    if (timestamp > wanted.timestamp + 60) this.settled = true\n    else if (place === null) this.settled',
    },
    {
      name: 'time: repeats are not marked',
      file: choose,
      find: 'const handled = isExact ? -1 : youngestCommitted(read)',
      put: 'const handled = isExact ? -1 : -1',
    },
    {
      name: 'time: repeats of an earlier move lose their mark',
      file: choose,
      find: 'return Math.max(replayUntil ?? -1, ',
      put: 'return Math.max(-1, ',
    },
    {
      name: 'time: used in a log that is still being filled',
      file: assess,
      find: ' || !hasGotThere(last, read, hasTime))',
      put: ')',
    },
    {
      name: 'gap: not detected',
      file: assess,
      find: 'if (trimmed || !begunBefore) return',
      put: 'if (trimmed && !begunBefore) return',
    },
    {
      name: 'gap: not detected within the span by which times go back',
      file: assess,
      find: 'const begunBefore = first.middle <= certainlyBefore(times)',
      put: 'const begunBefore = first.middle <= times.settled',
    },
    {
      name: 'gap: a poller with recover accepts it',
      file: reset,
      find: 'to: undefined, mayLose: false,',
      put: 'to: undefined, mayLose: true,',
    },
    {
      name: 'recover: the poller halts while the log is being filled',
      file: reset,
      find: "if (decision.reason === 'loss-not-accepted') return null",
      put: 'if (decision.reason !== null) return null',
    },
    {
      name: 'gap: accepted without acceptLoss',
      file: 'lib/recovery/move/decide.ts',
      find: 'if (lost !== null && !mayLose) return lossNotAccepted(lost, how, sameReset(facts))',
      put: 'void mayLose',
    },
    {
      name: 'token: applied although the checkpoint moved',
      file: 'lib/recovery/move/token.ts',
      find: "if (madeFrom.checkpoint !== fingerprint(read)) throw outdated('The checkpoint moved')",
      put: '',
    },
    {
      name: 'reset: written without comparing epoch and owner',
      file: conditions,
      within: 'export function reset(',
      find: '...leaseIsOurs,',
      put: "itIsThere: 'attribute_exists(#pk)',",
    },
    {
      name: 'reset: undoes a pause that came after its read',
      file: conditions,
      find: "stateAsRead: '#state = :readState',",
      put: '',
    },
    {
      name: 'reset: the ledger is not written',
      file: transitions,
      find: 'ledger: ledgerWith(read, start.entry, to),',
      put: 'ledger: encodeJson(read.ledger),',
    },
    {
      name: 'reset: the generation is not raised',
      file: transitions,
      find: 'const generation = generationAfter(read.generation, start.entry.at, start.usedGeneration)',
      put: 'const generation = read.generation',
    },
    {
      name: 'generation: always the stored one plus one',
      file: transitions,
      find: 'return Math.max((stored ?? 0) + 1, (used ?? 0) + 1, Math.floor(at / 1000))',
      put: 'return stored === null ? Math.floor(at / 1000) : stored + 1',
    },
    {
      name: 'fence: changes have the old generation after a move',
      file: 'lib/poll/outlet.ts',
      find: 'this.#origin = { ...origin, topic, partition }',
      put: 'this.#origin = { ...origin, generation: 1, topic, partition }',
    },
    {
      name: 'restored: not detected',
      file: group,
      find: '  if (ahead === null) return null\n',
      put: '  if (ahead === null || ahead.timestamp > 0) return null\n',
    },
    {
      name: 'restored: decided by an offset that DTS may have changed',
      file: group,
      find: 'place.generation === generation && place.offset > offset',
      put: 'place.generation === generation && committed.offset > offset',
    },
    {
      name: 'restored: repeats are not marked',
      file: laneProgress,
      find: "if (source === 'nothing') return",
      put: "if (source === 'nothing' || source === 'restored') return",
    },
    {
      name: 'group: does not receive the generation before deliveries',
      file: 'lib/poll/group-commit.ts',
      find: 'if (!answer.isKnown || generationOf(answer) === generation) return\n',
      put: 'if (!answer.isKnown || generationOf(answer) !== null) return\n',
    },
    {
      name: 'reset: the cluster id is written in a write of its own',
      file: transitions,
      within: 'export function reset(',
      find: 'clusterId: encodeText(start.clusterId),',
      put: '',
    },
  ] as const
).map((mutant) => ({ kind: 'switch', ...mutant }))
