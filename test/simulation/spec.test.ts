import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { errorCodeNames } from '../../lib/error-code-names.ts'
import { faultNumbers, kinds, leftOut } from './faults.ts'
import { mutants } from './mutations.ts'
import { invariants } from './observed.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))
const spec = readFileSync(`${root}docs/spec.md`, 'utf8')

/** The lines of the tables below a heading, as their cells. */
function rows(heading: string): string[][] {
  const section = spec.split(`\n## ${heading}\n`)[1]?.split('\n## ')[0]
  assert.ok(section, heading)
  const lines = section.split('\n').filter((line) => line.startsWith('| ') && !line.startsWith('|---'))
  return lines.slice(1).map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  )
}

/** Every first group of a pattern in the page. */
function named(pattern: RegExp, text = spec): string[] {
  return [...text.matchAll(pattern)].map(([, name]) => name ?? '')
}

test('every path and link in docs/spec.md leads to a file or folder', () => {
  const paths = named(/`((?:test|lib|infra|functions|docs)\/[^`]+)`/g)
  const links = named(/\]\(([^)]+)\)/g).map((link) => `docs/${link}`)
  assert.ok(paths.length > 50)
  assert.deepEqual(
    [...paths, ...links].filter((path) => !existsSync(root + path)),
    [],
  )
})

test('every mutant that docs/spec.md names exists', () => {
  const names = new Set(mutants.map(({ name }) => name))
  assert.deepEqual(
    named(/mutant "([^"]+)"/g).filter((name) => !names.has(name)),
    [],
  )
})

test('every error code that docs/spec.md names exists', () => {
  const words = named(/\b([A-Z]+(?:_[A-Z]+)+)\b/g).filter((word) => !/^(DTS|POLL|ON|SET)_/.test(word))
  const codes: readonly string[] = errorCodeNames
  assert.deepEqual(
    words.filter((word) => !codes.includes(word)),
    [],
  )
})

test('each invariant that the simulation checks has one line, and no other has', () => {
  // I7 is about many worlds together, so no single world can violate it.
  assert.deepEqual(
    rows('Invariants').map(([name]) => name),
    [...invariants, 'I7'],
  )
})

test('each fault that the simulation counts has one line, and no other has', () => {
  assert.deepEqual(
    rows('Faults').map(([number]) => Number(number)),
    faultNumbers,
  )
})

test('docs/spec.md names the faults that each kind of world leaves out', () => {
  for (const kind of kinds) {
    const sentence = new RegExp(`kind \`${kind}\`[^.]* leave out ([^.]*)\\.`).exec(spec)?.[1] ?? ''
    assert.deepEqual(named(/(\d+)/g, sentence).map(Number), leftOut[kind], kind)
  }
})

test('each line of the invariants and prohibitions names a test or a mutant', () => {
  for (const cells of [...rows('Invariants'), ...rows('Prohibitions')])
    assert.match(cells.at(-1) ?? '', /`test\/|mutant "/, cells.join(' | '))
})
