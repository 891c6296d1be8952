import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { before, test } from 'node:test'
import { type PublicInterface, readPublicInterface, snapshotFile } from '../support/public-interface.ts'

let found: PublicInterface
before(async () => {
  found = await readPublicInterface()
})

test('the types that handler files see change only on purpose', () => {
  assert.equal(
    found.text,
    readFileSync(snapshotFile, 'utf8'),
    'The public interface changed. Run npm run api, look at the difference, and name it in CHANGELOG.md.',
  )
})

test('every name that handler files can import has a docstring', () => {
  assert.deepEqual(found.undocumented, [])
})
