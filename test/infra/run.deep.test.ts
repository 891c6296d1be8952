import assert from 'node:assert/strict'
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const root = fileURLToPath(new URL('../../', import.meta.url))
const { scripts } = JSON.parse(readFileSync(`${root}package.json`, 'utf8')) as {
  scripts: Record<string, string>
}

/** A clone without dependencies, whose `npm start` runs this program. */
function clone(t: TestContext, program = '', { isFresh = false } = {}): string {
  const folder = mkdtempSync(join(tmpdir(), 'dts-functions-clone-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const self = { name: 'clone', version: '1.0.0', type: 'module' }
  const start = (scripts.start ?? '').replace('infra/local/start.ts', 'program.mjs')
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ ...self, scripts: { start } }))
  // With an empty lock file, npm asks no registry.
  const lock = { ...self, lockfileVersion: 3, packages: { '': self } }
  writeFileSync(join(folder, 'package-lock.json'), JSON.stringify(lock))
  mkdirSync(join(folder, 'infra'))
  cpSync(join(root, 'infra/run.mjs'), join(folder, 'infra/run.mjs'))
  writeFileSync(join(folder, 'program.mjs'), program)
  // npm does not write this file if it has nothing to install.
  mkdirSync(join(folder, 'node_modules/.bin'), { recursive: true })
  if (!isFresh) writeFileSync(join(folder, 'node_modules/.package-lock.json'), '{}')
  return folder
}

/** The output of a process as it arrives. */
function outputOf({ stdout }: ChildProcess) {
  let output = ''
  stdout?.setEncoding('utf8').on('data', (text: string) => {
    output += text
  })
  return {
    /** Resolves when the process has printed the text. */
    async has(text: string): Promise<void> {
      while (!output.includes(text)) await once(stdout as NonNullable<typeof stdout>, 'data')
    },
  }
}

/** Prints its signals. It ends normally 300 ms after the first one, so that a second one can arrive. */
const untilSignal = `
  for (const signal of ['SIGINT', 'SIGTERM']) {
    process.on(signal, () => { console.log('got ' + signal); setTimeout(() => { console.log('ended'); process.exit(7) }, 300) })
  }
  setInterval(() => {}, 1000)
  console.log('ready')`

describe('every script of package.json', () => {
  test('sets up first and runs on Lambda’s Node version', () => {
    assert.ok('recovery' in scripts && 'deploy' in scripts)
    for (const [name, script] of Object.entries(scripts)) {
      assert.match(script, /^node infra\/run\.mjs [^&|;]+$/, name)
      // npm would run another one before or after a command, without the setting up.
      const isHook = /^(pre|post)/.test(name)
      assert.ok(!isHook || ['prepack', 'postpack', 'prepublishOnly'].includes(name), name)
    }
  })

  test('installs the packages of a fresh clone, and prints nothing if they are installed', async (t) => {
    const program = 'console.log("it runs")'
    const fresh = await promisify(execFile)('npm', ['start'], { cwd: clone(t, program, { isFresh: true }) })
    assert.match(fresh.stderr, /Installing packages \(npm ci\)/)
    assert.match(fresh.stdout, /^it runs$/m)
    const later = await promisify(execFile)('npm', ['start', '--silent'], { cwd: clone(t, program) })
    assert.deepEqual(later, { stdout: 'it runs\n', stderr: '' })
  })

  test('installs them if npm is configured to ignore scripts', async (t) => {
    const folder = clone(t, 'console.log("it runs")', { isFresh: true })
    writeFileSync(join(folder, '.npmrc'), 'ignore-scripts=true\n')
    const { stdout, stderr } = await promisify(execFile)('npm', ['start'], { cwd: folder })
    assert.match(stderr, /Installing packages/)
    assert.match(stdout, /^it runs$/m)
  })

  test('passes arguments unchanged, and returns the exit code', async (t) => {
    const folder = clone(t, 'console.log(JSON.stringify(process.argv.slice(2))); process.exitCode = 3')
    const arguments_ = ['--action', '{"action":"reset"}', 'two words', "it's", '$HOME', '']
    const run = promisify(execFile)('npm', ['start', '--silent', '--', ...arguments_], { cwd: folder })
    await assert.rejects(run, { code: 3, stdout: `${JSON.stringify(arguments_)}\n` })
  })

  test('prefers the programs of node_modules', async (t) => {
    const folder = clone(t)
    writeFileSync(join(folder, 'node_modules/.bin/node'), '#!/bin/sh\necho the Node of node_modules\n', {
      mode: 0o755,
    })
    const { stdout } = await promisify(execFile)(process.execPath, ['infra/run.mjs', 'node'], { cwd: folder })
    assert.equal(stdout, 'the Node of node_modules\n')
  })

  test('prints the command that installs Node if npm skipped its install script', async (t) => {
    const folder = clone(t)
    mkdirSync(join(folder, 'node_modules/node'), { recursive: true })
    await assert.rejects(promisify(execFile)('npm', ['start'], { cwd: folder }), {
      code: 1,
      stderr: /contains no Node\. Run: npm rebuild node --ignore-scripts=false/,
    })
  })

  test('reports a missing command', async (t) => {
    const run = promisify(execFile)(process.execPath, ['infra/run.mjs', 'no-such-command'], { cwd: clone(t) })
    await assert.rejects(run, { code: 1, stderr: /no-such-command did not start: .*ENOENT/ })
  })

  test('ends with the signal that ended its command', async (t) => {
    const folder = clone(t, 'process.kill(process.pid, "SIGKILL")')
    const child = spawn(process.execPath, ['infra/run.mjs', process.execPath, 'program.mjs'], { cwd: folder })
    assert.deepEqual(await once(child, 'exit'), [null, 'SIGKILL'])
  })

  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    test(`forwards ${signal} and ends as its command does`, async (t) => {
      const parameters = ['infra/run.mjs', process.execPath, 'program.mjs']
      const child = spawn(process.execPath, parameters, {
        cwd: clone(t, untilSignal),
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      const output = outputOf(child)
      await output.has('ready')
      const exited = once(child, 'exit')
      child.kill(signal)
      await output.has(`got ${signal}`)
      assert.deepEqual(await exited, [7, null])
    })
  }

  test('ends its command when npm gets a signal', async (t) => {
    const npm = spawn('npm', ['start', '--silent'], {
      cwd: clone(t, untilSignal),
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const output = outputOf(npm)
    await output.has('ready')
    npm.kill('SIGTERM')
    await output.has('got SIGTERM')
  })

  test('Ctrl-C at a terminal reaches the command once', async (t) => {
    // `script` runs npm in its own terminal.
    const child = spawn('script', ['-qefc', 'npm start --silent', '/dev/null'], {
      cwd: clone(t, untilSignal),
    })
    let output = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text
      if (text.includes('ready')) child.stdin.write('\x03')
    })
    await once(child, 'close')
    assert.match(output, /got SIGINT\r\nended\r\n/)
  })
})
