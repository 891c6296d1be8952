import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { bundling } from '../../infra/bundling.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

test("the fence's bundle contains its marshaller, but not the DynamoDB client, which Lambda provides", async () => {
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: ['lib/handler/fence.ts'],
    bundle: true,
    write: false,
    metafile: true,
    platform: 'node',
    format: 'esm',
    external: bundling.exclude,
  })
  const [output] = Object.values(metafile.outputs)
  const packages = Object.keys(metafile.inputs).flatMap(
    (file) => /^node_modules\/(@[^/]+\/[^/]+|[^/]+)/.exec(file)?.[1] ?? [],
  )
  assert.deepEqual([...new Set(packages)], ['@aws-sdk/util-dynamodb'])
  const fromLambda = output?.imports.map(({ path }) => path).filter((path) => !path.startsWith('node:'))
  assert.deepEqual(fromLambda, ['@aws-sdk/client-dynamodb'])
})
