import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { describe, test } from 'node:test'
import { print } from '../../infra/operate/print.ts'
import { recoveryCommand } from '../../lib/recovery-command.ts'

const module = new URL('../../lib/recovery-command.ts', import.meta.url).href

/** The command as a function says it that was deployed with these flags. */
function deployed(flags: string): string {
  const script = `const { recoveryCommand } = await import('${module}'); console.log(recoveryCommand('{"action":"inspect"}'))`
  return execFileSync(process.execPath, ['--input-type=module', '-e', script], {
    env: { ...process.env, DEPLOYMENT_FLAGS: flags },
    encoding: 'utf8',
  }).trim()
}

describe('the command that a message names', () => {
  test('reaches the deployment that wrote it', () => {
    assert.equal(
      deployed('--stage prod --region eu-central-1'),
      `npx serverless invoke --stage prod --region eu-central-1 -f recovery --data '{"action":"inspect"}'`,
    )
    assert.equal(
      recoveryCommand('{"action":"inspect"}'),
      `npx serverless invoke -f recovery --data '{"action":"inspect"}'`,
    )
  })

  test('becomes one of npm for whoever came by npm', () => {
    const command = deployed('--stage prod --region eu-central-1')
    const answer = { errorType: 'STREAM_HALTED', errorMessage: `Run ${command} and what it recommends.` }
    assert.deepEqual(print(answer, { event: {}, deployment: ' --stage prod' }), [
      'STREAM_HALTED: Run npm run recovery -- inspect --stage prod and what it recommends.',
    ])
  })
})
