import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { misplaced, root, sources } from './misplaced.ts'
import { judgeAll } from './mutants.ts'
import { mutants } from './mutations.ts'

test('a mutant is caught in a copy of the code in which the same place without a fault violates nothing', async () => {
  const mutant = mutants.find(({ name }) => name === 'acquire: a live lease is taken')
  assert.ok(mutant)
  const harmless = { ...mutant, name: 'no fault', put: mutant.find }
  const [broken, whole] = await judgeAll(20, [mutant, harmless])
  assert.equal(broken?.caught?.invariant, 'I3')
  assert.equal(whole?.caught, null)
})

/** The source in another format: every option of the formatter differs from the project's. */
function reformatted(file: string, source: string): string {
  const style = '--line-width=50 --indent-style=tab --javascript-formatter-quote-style=double'
  const more = '--semicolons=always --trailing-commas=none --bracket-spacing=false'
  const { status, stdout, stderr } = spawnSync(
    join(root, 'node_modules/.bin/biome'),
    ['format', ...style.split(' '), ...more.split(' '), `--stdin-file-path=${file}`],
    { cwd: root, input: source, encoding: 'utf8' },
  )
  assert.equal(status, 0, stderr)
  assert.notEqual(stdout, source)
  return stdout
}

test('each mutant finds its place in code of another format', () => {
  const other = new Map([...sources].map(([file, source]) => [file, reformatted(file, source)]))
  assert.deepEqual(misplaced(other), [])
})
