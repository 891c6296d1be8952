/**
 * `node infra/run.mjs <command> [argument …]`: every script of package.json runs through this file. It installs the
 * packages if they are missing or older than the lock file. Then it runs the command with the programs of
 * node_modules/.bin, so that `node` is the version that Lambda runs. It is plain JavaScript and uses only Node's own
 * modules, because a fresh clone starts it with the machine's Node (20 or later).
 */
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, statSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const lock = join(root, 'package-lock.json')
// npm writes this file last, so it is also missing after an interrupted installation.
const installed = join(root, 'node_modules', '.package-lock.json')
const programs = join(root, 'node_modules', '.bin')
const isWindows = process.platform === 'win32'

if (!upToDate()) install()
requireNode()
run(process.argv.slice(2))

function upToDate() {
  if (!existsSync(installed)) return false
  return !existsSync(lock) || statSync(installed).mtimeMs >= statSync(lock).mtimeMs
}

function install() {
  const command = existsSync(lock) ? 'ci' : 'install'
  console.error(`Installing packages (npm ${command}). The first time this takes one to two minutes …`)
  // A log gets no progress bar, a person does.
  const progress = process.stderr.isTTY ? '--progress' : '--no-progress'
  const { error, status } = npm([command, '--loglevel=error', '--no-audit', '--no-fund', progress])
  if (error || status !== 0) {
    console.error(`npm ${command} failed${error ? `: ${error.message}` : ''}. Run it by hand to see why.`)
    process.exit(status || 1)
  }
}

/** Without its install script the package `node` has no program, and the machine's Node would run instead. */
function requireNode() {
  const program = join(programs, isWindows ? 'node.cmd' : 'node')
  if (!existsSync(join(root, 'node_modules', 'node')) || existsSync(program)) return
  console.error(
    'npm installed the packages without their install scripts, so node_modules contains no Node. Run: npm rebuild node --ignore-scripts=false',
  )
  process.exit(1)
}

/** Runs npm on the Node that started it, because `npm ci` removes the Node in node_modules. */
function npm(parameters) {
  const options = { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] }
  const { npm_execpath: script, npm_node_execpath: node } = process.env
  if (script && node && existsSync(node)) return spawnSync(node, [script, ...parameters], options)
  return spawnSync('npm', parameters, { ...options, shell: isWindows })
}

/** Runs the command. Streams, signals and the exit code are passed on, as if the caller had started it directly. */
function run([command, ...parameters]) {
  if (command === undefined) {
    console.error('Usage: node infra/run.mjs <command> [argument …]')
    process.exit(1)
  }
  // On Windows the variable is called Path.
  const name = Object.keys(process.env).find((key) => key.toUpperCase() === 'PATH') ?? 'PATH'
  const env = { ...process.env, [name]: [programs, process.env[name]].filter(Boolean).join(delimiter) }
  const child = spawn(command, parameters, { stdio: 'inherit', env, shell: isWindows })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => {
      // A terminal sends Ctrl-C to the child too. A second one would interrupt its clean shutdown.
      if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal)
    })
  }
  // npm runs a script in a shell. When npm signals that shell, it ends and this process gets no signal.
  const caller = process.ppid
  const watch = setInterval(() => {
    if (process.ppid === caller) return
    clearInterval(watch)
    child.kill('SIGTERM')
  }, 500)
  child.on('error', (error) => {
    console.error(`${command} did not start: ${error.message}. Run npm ci by hand to see what is missing.`)
    process.exit(1)
  })
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code)
    // End by the same signal, so that npm and the shell see it.
    process.removeAllListeners(signal)
    process.kill(process.pid, signal)
  })
}
