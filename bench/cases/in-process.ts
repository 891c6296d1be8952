import { decodeChange } from '../../lib/dts/decode-change.ts'
import { carriesChange, readHeader } from '../../lib/dts/header.ts'

const origin = { offset: 1n, generation: 1, replay: false }

/** Decodes all records to row objects with the given columns; all columns if left out. @returns the number of changes */
export function decodeAll(records: readonly Buffer[], asked?: readonly string[]): number {
  let seen = 0
  for (let at = 0; at < records.length; at++) {
    const bytes = records[at] as Buffer
    const header = readHeader(bytes)
    if (carriesChange(header.operation) && decodeChange(bytes, header, origin, asked).id !== -1n) seen++
  }
  return seen
}

/** Microseconds of CPU that this process has used. Unlike time, they do not include the work of other processes. */
export function cpu(): number {
  const { user, system } = process.cpuUsage()
  return user + system
}

/** Microseconds of CPU of one call, measured over about so many milliseconds, after half as many that do not count. */
export async function microseconds(call: () => unknown, millis = 100): Promise<number> {
  // V8 compiles the code, and caches fill that the code measured before this has filled with something else.
  await repeat(call, millis / 2)
  const { used, calls } = await repeat(call, millis)
  return used / calls
}

async function repeat(call: () => unknown, millis: number): Promise<{ used: number; calls: number }> {
  let calls = 0
  const start = cpu()
  let used = 0
  while (used < millis * 1_000) {
    await call()
    calls += 1
    used = cpu() - start
  }
  return { used, calls }
}
