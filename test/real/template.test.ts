import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import * as z from 'zod'
import { checkovEnvironment, pythonEnvironment } from '../rig/tools.ts'
import { given } from '../support/packaged.ts'
import { copyService, type ServiceCopy } from '../support/service-copy.ts'

/** The output of a Python program of an environment. Its exit code says only whether it found something. */
async function outputOf(
  environment: string,
  program: string,
  parameters: readonly string[],
): Promise<string> {
  const bin = join(environment, 'bin')
  // The start lines of the programs name a folder that the environment was moved from.
  const child = spawn(join(bin, 'python'), [join(bin, program), ...parameters], {
    env: { PATH: process.env.PATH, HOME: environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  let errors = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text))
  await once(child, 'close')
  assert.notEqual(output, '', errors)
  return output
}

const checkovSchema = z.object({
  results: z.object({
    failed_checks: z.array(z.object({ check_id: z.string(), check_name: z.string(), resource: z.string() })),
  }),
  summary: z.object({ passed: z.int().min(1), parsing_errors: z.literal(0) }),
})

describe('the packaged template', () => {
  let service: ServiceCopy
  let template: string

  before(async () => {
    service = copyService()
    const artifacts = join(service.folder, 'packaged')
    const { code, output } = await service.serverless(['package', '--package', artifacts], given)
    assert.equal(code, 0, output)
    template = join(artifacts, 'cloudformation-template-update-stack.json')
  })
  after(() => service.remove())

  test('has no finding of cfn-lint', async () => {
    const parameters = ['--format', 'json', '--regions', 'eu-central-1', '--', template]
    assert.deepEqual(JSON.parse(await outputOf(await pythonEnvironment(), 'cfn-lint', parameters)), [])
  })

  test('has the findings of checkov that have a reason in test/rig/checkov-exceptions.json, and no other', async () => {
    const exceptions = new URL('../rig/checkov-exceptions.json', import.meta.url)
    const reasons = z
      .record(z.string(), z.string().min(20))
      .parse(JSON.parse(readFileSync(exceptions, 'utf8')))
    const options = ['--framework', 'cloudformation', '--skip-download', '--quiet', '--compact', '-o', 'json']
    const output = await outputOf(await checkovEnvironment(), 'checkov', ['-f', template, ...options])
    const { results } = checkovSchema.parse(JSON.parse(output))
    const found = new Set(results.failed_checks.map(({ check_id }) => check_id))
    const unexplained = results.failed_checks.filter(({ check_id }) => !(check_id in reasons))
    assert.deepEqual(unexplained, [])
    // A reason without a finding is out of date.
    assert.deepEqual(
      Object.keys(reasons).filter((check) => !found.has(check)),
      [],
    )
  })
})
