import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { startOfTimes } from '../../../../lib/checkpoint/source-times.ts'
import { type Checkpoint, freshPosition } from '../../../../lib/checkpoint/types.ts'
import type { How, Move } from '../../../../lib/recovery/move/decide.ts'
import { describeTimes, describe as inWords } from '../../../../lib/recovery/move/describe.ts'
import { checkpointOf } from '../../../support/streams.ts'

const progress = {
  ...freshPosition(150n, 1049),
  clusterId: 'c',
}
const halted = checkpointOf(progress)
const paused: Checkpoint = { ...halted, state: 'PAUSED', pause: { by: 'me', reason: null, at: 1 } }

function move(change: Partial<Move>): Move {
  return {
    kind: 'move',
    how: 'stored',
    source: 'checkpoint',
    position: freshPosition(150n, 1049),
    replayUntil: null,
    repeats: { counts: {}, countedTo: null },
    lost: null,
    ...change,
  }
}

const said = (change: Partial<Move>, read: Checkpoint | null = halted, dryRun = false) =>
  inWords(move(change), read, dryRun)

describe('the answer of a reset says', () => {
  const at = '1970-01-01T00:17:29Z \\(1049\\)'
  const places: Readonly<Record<How, RegExp>> = {
    stored:
      /^The log is the one that the checkpoint belongs to\. The stream continues at the stored offset\. /,
    anchor: /^This log holds the last committed change\. The stream continues right after it\. /,
    time: new RegExp(
      `^This log does not hold the last committed change\\. The stream continues at ${at}\\. `,
    ),
    gap: new RegExp(`^The stream continues at ${at}, after the lost changes\\. `),
    timestamp: new RegExp(`^The stream continues at ${at}, as you asked\\. `),
    offset: /, as you asked\. /,
    earliest: /, as you asked\. /,
    latest: /, as you asked\. /,
    committed: /, as you asked\. /,
    ledger: /, as you asked\. /,
  }
  for (const [how, place] of Object.entries(places) as [How, RegExp][]) {
    test(`where the stream continues after a move by ${how}, and that nothing is lost`, () => {
      const text = said({ how })
      assert.match(text, place)
      assert.match(text, /Nothing is lost by it\./)
      assert.doesNotMatch(text, /undefined| {2}|\.$\s/)
      // "Nothing repeats" is said only of places where that is certain.
      assert.equal(text.includes('Nothing committed repeats.'), ['stored', 'anchor', 'time'].includes(how))
    })
  }

  test('which changes are lost, and in a dry run that a person has to accept it', () => {
    const lost = { from: 1000, to: 1049 }
    const loss =
      'Changes from 1970-01-01T00:16:40Z (1000) to 1970-01-01T00:17:29Z (1049) are lost to this stream; copy the affected rows ' +
      'from the source.'
    const done = said({ how: 'gap', lost })
    assert.ok(done.endsWith(loss), done)
    const dry = said({ how: 'gap', lost }, halted, true)
    assert.ok(dry.endsWith(`${loss} A reset does this only if you accept the loss.`), dry)
    assert.doesNotMatch(dry, /Nothing is lost/)
  })

  test('that changes repeat, or from which offset on more may repeat than were counted', () => {
    const some = said({ how: 'time', repeats: { counts: { 'shop.orders': 1 }, countedTo: null } })
    assert.match(some, / Some changes repeat, marked as replay\.$/)
    const many = said({ how: 'time', repeats: { counts: { 'shop.orders': 1 }, countedTo: 500n } })
    assert.match(
      many,
      / Changes repeat, marked as replay\. They were counted up to offset 500, and more may repeat/,
    )
    for (const text of [some, many]) assert.doesNotMatch(text, /Nothing committed repeats/)
  })

  const marked = 'All changes up to now may have been delivered before, and are marked as replay.'
  const sources: [source: Move['source'], noLoss: RegExp, standIn: RegExp][] = [
    [
      'group',
      /Nothing is lost\. /,
      /There is no checkpoint\. The poller's last commit .*ahead of that commit\. All/,
    ],
    [
      'restored',
      /Nothing is lost\. /,
      /The checkpoint was restored from a backup\. .*ahead of that commit\. All/,
    ],
    ['other', /Whether changes are lost is not known\. /, /the commit of another deployment\. All/],
    [
      'unasked',
      /Whether changes are lost is not known\. /,
      /does not show how far the stream was read\. All/,
    ],
  ]
  for (const [source, noLoss, standIn] of sources) {
    test(`what replaces a missing checkpoint, and that changes may repeat, if the source is ${source}`, () => {
      const text = said({ how: 'offset', source }, null)
      assert.match(text, noLoss)
      assert.match(text, standIn)
      assert.ok(text.endsWith(marked), text)
    })
  }

  test('that a stream without any commit of ours was probably never read', () => {
    const text = said({ how: 'offset', source: 'nothing' }, null)
    assert.match(
      text,
      /no commit of ours, so this stream was probably never read\. If it was read before, changes may be lost\.$/,
    )
    assert.doesNotMatch(text, /Nothing is lost/)
  })

  test('that a pause ends', () => {
    assert.match(
      said({}, paused),
      / The stream was paused, and the reset ended the pause: .*To stop it, pause again\.$/,
    )
    assert.match(
      said({}, paused, true),
      / The stream is paused, and the reset ends the pause: the next run .*reads on\.$/,
    )
    for (const read of [halted, null]) assert.doesNotMatch(said({}, read), /pause/)
  })
})

test('inspect says how far the times of the source run out of order', () => {
  assert.equal(describeTimes(null), 'not measured yet')
  const times = startOfTimes(1049)
  const settled = 'settled at 1970-01-01T00:17:29Z (1049), go back by'
  assert.equal(describeTimes(times), `${settled} 0 s, ahead by 0 s`)
  assert.equal(
    describeTimes({ ...times, back: { once: 30, often: 5 }, ahead: { once: 7, often: 7 } }),
    `${settled} 5 s and once 30 s, ahead by 7 s`,
  )
  assert.equal(
    describeTimes({ ...times, jump: { from: 2000, to: 2049, width: 951 }, fall: 12 }),
    `${settled} 0 s, ahead by 0 s; now 1000 s ahead, not confirmed; now 12 s back`,
  )
})
