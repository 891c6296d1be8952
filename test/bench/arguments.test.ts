import assert from 'node:assert/strict'
import { test } from 'node:test'
import { toCall, UsageError } from '../../bench/arguments.ts'
import { caseNames } from '../../bench/case.ts'

const normal = {
  cases: caseNames,
  rounds: 3,
  isLong: false,
  writes: false,
  onlyCoefficients: false,
  onlyWritesPage: false,
  profileFolder: null,
}

const calls: [argv: string, call: object | null][] = [
  ['', normal],
  ['--case all --write', { ...normal, writes: true }],
  ['--case routes --write', { ...normal, cases: ['routes'], writes: true }],
  ['--case routes', { ...normal, cases: ['routes'] }],
  ['--case start,limit', { ...normal, cases: ['limit', 'start'] }],
  ['--case backlog --long --rounds 12', { ...normal, cases: ['backlog'], isLong: true, rounds: 12 }],
  ['--profile profiles', { ...normal, profileFolder: 'profiles' }],
  ['--page', { ...normal, onlyWritesPage: true }],
  ['--coefficients --rounds 5', { ...normal, onlyCoefficients: true, rounds: 5 }],
  ['--help', null],
]
for (const [argv, call] of calls) {
  test(`npm run bench -- ${argv}`, () => {
    assert.deepEqual(toCall(argv.split(' ').filter(Boolean)), call)
  })
}

const mistakes: [argv: readonly string[], message: RegExp][] = [
  [['--case', 'routs'], /^--case has "routs": a case is one of limit, routes, .*, or all\.$/],
  [['--case', ''], /^--case has "": a case is one of /],
  [['--case', 'routes,,keys'], /^--case has ""/],
  [['--case'], /--case/],
  [['--rounds', '0'], /^--rounds takes a whole number from 1 to 99, not "0"\.$/],
  [['--rounds', '1e1'], /not "1e1"/],
  [['--rounds=-1'], /not "-1"/],
  [['--page', '--write'], /^--page measures nothing/],
  [['--coefficients', '--write'], /^--coefficients measures nothing else/],
  [['--profile', ' '], /^--profile needs a folder\.$/],
  [['--fast'], /--fast/],
  [['routes'], /routes/],
]
for (const [argv, message] of mistakes) {
  test(`the bench refuses ${JSON.stringify(argv)} and says why`, () => {
    assert.throws(
      () => toCall(argv),
      (error: unknown) => error instanceof UsageError && message.test(error.message),
    )
  })
}
