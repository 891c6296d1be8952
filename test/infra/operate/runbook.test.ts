import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { runbook } from '../../../infra/operate/runbook.ts'
import { errorCodeNames } from '../../../lib/error-code-names.ts'

const folder = fileURLToPath(new URL('../../../docs/runbook/', import.meta.url))

test('every error code has a page, and the pages match lib/error-code-names.ts', () => {
  const pages = runbook()
  assert.deepEqual(readdirSync(folder).sort(), [...pages.keys()].sort())
  for (const [name, content] of pages) assert.equal(readFileSync(folder + name, 'utf8'), content, name)
  for (const code of errorCodeNames) assert.match(pages.get(`${code}.md`) ?? '', /What to run/)
})
