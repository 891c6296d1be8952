import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { namesInFolder, UnknownSource, variablesOfSource } from '../../../infra/operate/named-sources.ts'
import { UsageError } from '../../../infra/operate/report.ts'
import { settingsOf, streamCall } from '../../../infra/operate/stream-flags.ts'

const crm = { address: 'crm:18001', topic: 'crm', sid: 'dtscrm', user: 'reader', secret: 'crm/dts' }
const erp = { address: 'kafka:9092', topic: 'erp', group: 'readers' }

function folder(t: TestContext, files: Readonly<Record<string, string>>): string {
  const path = mkdtempSync(join(tmpdir(), 'sources-'))
  t.after(() => rmSync(path, { recursive: true }))
  for (const [name, text] of Object.entries(files)) writeFileSync(join(path, name), text)
  return path
}

describe('a named source', () => {
  test('gives a command its own variables', () => {
    assert.deepEqual(variablesOfSource({ crm, erp }, 'erp'), {
      DTS_BROKER_URL: 'kafka:9092',
      DTS_TOPIC: 'erp',
      DTS_GROUP: 'readers',
    })
  })

  for (const [given, name, message] of [
    [{ crm, erp }, 'crn', /^There is no source "crn"\. custom\.sources in serverless\.yml has: crm, erp\.$/],
    [{ crm }, '', /^There is no source ""\. .* has: crm\.$/],
    [{}, 'crm', /^There is no source "crm": custom\.sources .* names none\. Leave out --source\.$/],
  ] as const) {
    test(`that is unknown is refused: ${message.source}`, () => {
      assert.throws(
        () => variablesOfSource(given, name),
        (error) => {
          assert.ok(error instanceof UnknownSource)
          assert.match(error.message, message)
          return true
        },
      )
    })
  }
})

test('a folder without a service refuses --source', async (t) => {
  const call = streamCall({ source: 'crm' })
  await assert.rejects(settingsOf(call, {}, folder(t, {})), (error) => {
    assert.ok(error instanceof UsageError)
    assert.match(error.message, /^--source needs the folder of serverless\.yml/)
    return true
  })
})

test('the names of sources are asked from serverless only if serverless.yml mentions them', async (t) => {
  assert.equal(await namesInFolder(folder(t, {}), 'dev'), null)
  const named = folder(t, { 'serverless.yml': 'custom:\n  sources: {}\n' })
  // Its packages are not installed.
  await assert.rejects(
    namesInFolder(named, 'dev'),
    /--source needs the folder of serverless\.yml, after npm install/,
  )
})

test('without --source, a command reads the variables as before, and starts no serverless', async (t) => {
  // There is no serverless in this folder, so that a start of it would fail.
  const path = folder(t, {
    '.env': 'DTS_TOPIC=written\nDTS_SID=s\n',
    'serverless.yml': '# sources: {}\ncustom: {}\n',
  })
  assert.deepEqual(await settingsOf(streamCall({ topic: 'flag' }), { DTS_SID: 'shell' }, path), {
    DTS_TOPIC: 'flag',
    DTS_SID: 'shell',
  })
  assert.equal(await namesInFolder(path, 'dev'), null)
})
