import assert from 'node:assert/strict'
import { test } from 'node:test'
import { committerOf, deploymentName, groupPosition, writeMark } from '../../../lib/kafka/commit-mark.ts'

const self = { service: 'shop', stage: 'prod', table: 'eu-central-1/shop-prod-checkpoint' }
const place = { generation: 1_795_433_580, offset: 9_223_372_036_854_775_807n }
const markOf = (metadata: string | null, reader = self) => groupPosition(5n, metadata, reader).mark

test('a commit’s metadata begins with the time, then names deployment, generation and offset', () => {
  assert.equal(
    writeMark(self, 1002, place),
    '1002|shop|prod|eu-central-1%2Fshop-prod-checkpoint|1795433580|9223372036854775807',
  )
  assert.deepEqual(markOf(writeMark(self, 1002, place)), { whose: 'ours', timestamp: 1002, place })
})

test('the cluster comes last, and older versions wrote none', () => {
  const there = { ...place, clusterId: 'a|b %' }
  const metadata = writeMark(self, 1002, there)
  assert.equal(
    metadata,
    '1002|shop|prod|eu-central-1%2Fshop-prod-checkpoint|1795433580|9223372036854775807|a%7Cb%20%25',
  )
  assert.deepEqual(markOf(metadata), { whose: 'ours', timestamp: 1002, place: there })
  assert.deepEqual(markOf(`${writeMark(self, 1002, place)}|%zz`), { whose: 'ours', timestamp: 1002, place })
})

test('a commit of another service, stage or table is recognized as another deployment’s', () => {
  for (const other of [
    { ...self, service: 'shop2' },
    { ...self, stage: 'test' },
    { ...self, table: 'us-east-1/shop-prod-checkpoint' },
  ]) {
    const mark = markOf(writeMark(other, 1002, place))
    assert.deepEqual(mark, { whose: 'another deployment', deployment: other, place })
    assert.equal(committerOf(mark), `by another deployment (${deploymentName(other)})`)
  }
})

test('names with a separator or any other character are read back unchanged', () => {
  for (const name of ['a|b', '100%', 'ä 字 😀', '', '|||', '%7C'])
    for (const odd of [
      { ...self, service: name },
      { ...self, stage: name },
      { ...self, table: name },
    ]) {
      assert.equal(markOf(writeMark(odd, 1, place), odd).whose, 'ours', JSON.stringify(odd))
      assert.equal(writeMark(odd, 1, place).split('|').length, 6)
    }
})

test('a commit of an older version without a deployment is ours, at an unknown place', () => {
  assert.deepEqual(markOf('1002|dts-functions'), { whose: 'ours', timestamp: 1002, place: null })
  assert.deepEqual(markOf('soon|dts-functions'), { whose: 'ours', timestamp: null, place: null })
})

const unknown: [metadata: string | null, reason: string][] = [
  [null, 'nothing'],
  ['', 'an empty text'],
  ['1002', 'a time alone, as Alibaba’s client writes it'],
  ['1002|', 'an empty name'],
  ['1002|other', 'another program'],
  ['1002|shop|prod|t|7', 'no offset'],
  ['1002|shop|prod|t|seven|3', 'a generation that is no number'],
  ['1002|shop|prod|t|7|-3', 'an offset that is no number'],
  ['soon|shop|prod|t|7|3', 'a time that is no number'],
  ['x1002|shop|prod|t|7|3', 'a time with a letter before it'],
  ['1002x|shop|prod|t|7|3', 'a time with a letter after it'],
  ['1002|shop|prod|t|7|3x', 'an offset with a letter after it'],
  ['1002|shop|prod|t||', 'empty numbers'],
  ['1002|%zz|prod|t|7|3', 'a service that is no encoding'],
  ['1002|shop|%zz|t|7|3', 'a stage that is no encoding'],
  ['1002|shop|prod|%zz|7|3', 'a table that is no encoding'],
  ['1002|dts-functions|more', 'that of an older version with another field'],
  [`1002|shop|prod|t|${'9'.repeat(30)}|3`, 'a generation too large for a number'],
]
for (const [metadata, reason] of unknown)
  test(`a commit is of another program if its metadata is ${reason}`, () => {
    assert.deepEqual(markOf(metadata), { whose: 'unknown' })
  })

test('fields that a later version appends are ignored', () => {
  assert.equal(markOf(`${writeMark(self, 1, place)}|more`).whose, 'ours')
})

test('control characters of a name from the broker are replaced, and a long name is cut', () => {
  const mark = markOf(`1|a%1b[2J%0a|b|${'c'.repeat(300)}|1|1`)
  assert.equal(
    committerOf(mark),
    `by another deployment (service "a?[2J?", stage "b", table "${'c'.repeat(200)}")`,
  )
})

test('the author of a commit is this deployment, another one, or another program', () => {
  assert.equal(committerOf(markOf(writeMark(self, 1002, place))), 'by this deployment')
  assert.equal(committerOf(markOf('1002|dts-functions')), 'by this deployment')
  assert.equal(committerOf(markOf('1002')), 'by another program')
})
