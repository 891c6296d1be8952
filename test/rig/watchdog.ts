import type { ChildProcess } from 'node:child_process'
import { subscribe } from 'node:diagnostics_channel'
import { writeSync } from 'node:fs'
import { relative } from 'node:path'
import { after, beforeEach } from 'node:test'
import { isMainThread, Worker, workerData } from 'node:worker_threads'

/**
 * Ends a test file's process (`--import`) and the processes that it started. The runner ends a test that waits too long. It
 * cannot end a test that blocks the thread, nor a file that never finishes loading: a second thread watches for both. A
 * socket or a timer that the tests leave open would keep the process alive, so a timer watches for that. (The runner's
 * `--test-force-exit` drops results that are still on their way.)
 */

/** The longest time that a test may block the thread, in milliseconds. It equals the timeout of a test. */
const longestBlockMs = 60_000
/** The longest time that a file may run, in milliseconds: several times the duration of the longest file. */
const longestRunMs = 900_000
const lookEveryMs = 5_000
/** The longest time that a process may stay after its last test, in milliseconds. */
const longestStayMs = 15_000

interface Watched {
  readonly file: string
  /** Rises whenever the thread is free. */
  readonly beats: Int32Array
  /** The name of the last test that began, in UTF-8, padded with zeros. */
  readonly test: Uint8Array
  /** Ids of started processes that have not ended; 0 in free places. */
  readonly children: Int32Array
}

if (!isMainThread) {
  if (workerData?.beats !== undefined) watch(workerData as Watched)
} else if (process.env.NODE_TEST_CONTEXT !== undefined) {
  begin()
}

function begin(): void {
  const beats = new Int32Array(new SharedArrayBuffer(4))
  const test = new Uint8Array(new SharedArrayBuffer(400))
  const children = new Int32Array(new SharedArrayBuffer(1_024))
  setInterval(() => Atomics.add(beats, 0, 1), 1_000).unref()
  beforeEach((t) => test.fill(0).set(Buffer.from('name' in t ? t.name : '').subarray(0, test.length)))
  subscribe('child_process', (message) => {
    const { process: child } = message as { process: ChildProcess }
    child.once('spawn', () => children.set([child.pid ?? 0], children.indexOf(0)))
    child.once('exit', () => children.set([0], children.indexOf(child.pid ?? 0)))
  })
  // A test that timed out may have left some.
  process.on('exit', () => endAll(children))
  const file = relative(process.cwd(), process.argv[1] ?? '')
  after(() => void setTimeout(() => endIdle(file), longestStayMs).unref())
  const watched: Watched = { file, beats, test, children }
  new Worker(new URL(import.meta.url), { workerData: watched, execArgv: [] }).unref()
}

/** Called only if something keeps the process alive after the last test. */
function endIdle(file: string): void {
  const left = process.getActiveResourcesInfo().join(', ')
  writeSync(
    2,
    `\n${file} has run all tests, and still does not end: ${left}. The watchdog ends its process.\n`,
  )
  process.exit(1)
}

function watch({ file, beats, test, children }: Watched): void {
  const startedAt = performance.now()
  let freeAt = startedAt
  let seen = -1
  for (;;) {
    const now = performance.now()
    const count = Atomics.load(beats, 0)
    if (count !== seen) freeAt = now
    seen = count
    const isBlocked = now - freeAt > longestBlockMs
    if (isBlocked || now - startedAt > longestRunMs) {
      const name = Buffer.from(test).toString().replace(/\0+$/, '')
      const why = isBlocked
        ? `has blocked its thread for ${longestBlockMs / 1_000} s`
        : `has not ended within ${longestRunMs / 1_000} s`
      // A blocked thread can neither print nor run exit handlers.
      writeSync(2, `\n${file} ${why}; its last test is "${name}". The watchdog ends its process.\n`)
      endAll(children)
      process.kill(process.pid, 'SIGKILL')
    }
    // Nothing wakes it early.
    Atomics.wait(beats, 0, count, lookEveryMs)
  }
}

function endAll(children: Int32Array): void {
  for (const pid of children.filter((pid) => pid > 0)) {
    try {
      process.kill(pid, 'SIGTERM')
    } catch {
      // The process has already ended.
    }
  }
}
