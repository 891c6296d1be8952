/**
 * Runs before every script of package.json: installs the packages when they are missing or older than the lock file,
 * and says nothing otherwise. Plain JavaScript on Node's own modules, because it runs on whatever Node (20 or
 * later) a fresh clone is started with.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, statSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const lock = `${root}package-lock.json`
// npm writes this file last, so it is also missing after an interrupted installation.
const installed = `${root}node_modules/.package-lock.json`

if (!upToDate()) install()

function upToDate() {
  if (!existsSync(installed)) return false
  return !existsSync(lock) || statSync(installed).mtimeMs >= statSync(lock).mtimeMs
}

function install() {
  const command = existsSync(lock) ? 'ci' : 'install'
  console.error(`Installing packages (npm ${command}) …`)
  const { error, status } = npm([command, '--loglevel=error', '--no-audit', '--no-fund', '--no-progress'])
  if (error || status !== 0) {
    console.error(`npm ${command} failed${error ? `: ${error.message}` : ''}. Run it by hand to see why.`)
    process.exit(status || 1)
  }
}

/** npm itself, on the Node that it was started with: `npm ci` removes the one under node_modules. */
function npm(parameters) {
  const options = { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] }
  const { npm_execpath: script, npm_node_execpath: node } = process.env
  if (script && node && existsSync(node)) return spawnSync(node, [script, ...parameters], options)
  return spawnSync('npm', parameters, { ...options, shell: process.platform === 'win32' })
}
