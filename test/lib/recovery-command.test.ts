import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { toEvent } from '../../infra/operate/arguments.ts'
import { print, printJson } from '../../infra/operate/print.ts'
import { recoveryCommand } from '../../lib/recovery-command.ts'

const module = new URL('../../lib/recovery-command.ts', import.meta.url).href

/** The commands as a function says them that was deployed with these flags. */
function deployed(flags: string, ...events: readonly string[]): string[] {
  const script =
    `const { recoveryCommand } = await import('${module}'); ` +
    `console.log(JSON.stringify(${JSON.stringify(events)}.map(recoveryCommand)))`
  const printed = execFileSync(process.execPath, ['--input-type=module', '-e', script], {
    env: { ...process.env, DEPLOYMENT_FLAGS: flags },
    encoding: 'utf8',
  })
  return JSON.parse(printed) as string[]
}

const inspect = '{"action":"inspect"}'
const lib = fileURLToPath(new URL('../../lib/', import.meta.url))

/** The event of every command that any message names. */
function eventsInMessages(): string[] {
  const files = readdirSync(lib, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'))
  const found = files.flatMap((name) => [
    ...readFileSync(lib + name, 'utf8').matchAll(/recoveryCommand\(\s*'(\{[^']*\})'/g),
  ])
  return [...new Set(found.map(([, event = '']) => event))]
}

describe('the command that a message names', () => {
  test('reaches the deployment that wrote it', () => {
    assert.deepEqual(deployed('--stage prod --region eu-central-1', inspect), [
      `npx serverless invoke --stage prod --region eu-central-1 -f recovery --data '{"action":"inspect"}'`,
    ])
    assert.equal(
      recoveryCommand('{"action":"inspect"}'),
      `npx serverless invoke -f recovery --data '{"action":"inspect"}'`,
    )
  })

  test('becomes one of npm for whoever came by npm', () => {
    const [command] = deployed('--stage prod --region eu-central-1', inspect)
    const answer = { errorType: 'STREAM_HALTED', errorMessage: `Run ${command} and what it recommends.` }
    assert.deepEqual(print(answer, { event: {}, deployment: ' --stage prod' }), [
      'STREAM_HALTED: Run npm run recovery -- inspect --stage prod and what it recommends.',
    ])
  })

  test('is, for each that any message names, one that npm run recovery takes for the same event', () => {
    const events = eventsInMessages()
    assert.ok(events.length >= 5, events.join())
    const asked = { event: {}, deployment: ' --stage prod' }
    for (const [index, command] of deployed('--stage prod --region eu-central-1', ...events).entries()) {
      const answer = { errorType: 'E', errorMessage: `first ${command}, then ${command}` }
      const [line = ''] = print(answer, asked)
      const argv = /^E: first npm run recovery -- (.*), then npm run recovery -- \1$/.exec(line)?.[1] ?? ''
      const call = toEvent(argv.split(' '))
      assert.deepEqual(call?.event, JSON.parse(events[index] ?? ''), line)
      assert.equal(call?.functionName, 'dts-functions-prod-recovery')
      assert.equal(JSON.parse(printJson(answer, asked)).errorMessage, line.slice('E: '.length))
    }
  })
})
