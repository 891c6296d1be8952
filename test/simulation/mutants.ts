import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs, promisify } from 'node:util'
import * as z from 'zod'
import type { Mutant } from './mutant.ts'
import { mutants } from './mutations.ts'
import { findPlace } from './place.ts'

/** The result of a mutant: the first seed that caught it, and the violated invariant. */
export interface Verdict {
  readonly mutant: Mutant
  readonly caught: { readonly seed: number; readonly invariant: string; readonly message: string } | null
}

/** The longest search for one mutant, in milliseconds. */
const patienceMs = 600_000

const root = fileURLToPath(new URL('../../', import.meta.url))
const run = promisify(execFile)
const answer = z.object({ seed: z.number(), invariant: z.string(), message: z.string() }).nullable()

/** The source with the mutant's fault. @throws Error if its place is missing or ambiguous */
async function mutated({ name, file, find, within, put }: Mutant): Promise<string> {
  const source = await readFile(join(root, file), 'utf8')
  try {
    const { from, to } = findPlace(source, find, within)
    return source.slice(0, from) + put + source.slice(to)
  } catch (cause) {
    throw new Error(`The fault "${name}" has no place in ${file}: ${(cause as Error).message}`, { cause })
  }
}

/** Applies the mutant to a copy of the project's code and runs the simulation on it. @throws Error */
async function judge(mutant: Mutant, seeds: number): Promise<Verdict> {
  const directory = await mkdtemp(join(tmpdir(), 'mutant-'))
  try {
    for (const part of ['lib', 'infra', 'functions', 'test', 'package.json']) {
      await mkdir(join(directory, part, '..'), { recursive: true })
      await cp(join(root, part), join(directory, part), { recursive: true })
    }
    await symlink(join(root, 'node_modules'), join(directory, 'node_modules'))
    await writeFile(join(directory, mutant.file), await mutated(mutant))
    const hunt = ['test/simulation/hunt.ts', '--kind', mutant.kind ?? 'faults', '--seeds', String(seeds)]
    if (mutant.seed !== undefined) hunt.push('--first', String(mutant.seed))
    const { stdout } = await run(process.execPath, hunt, { cwd: directory, timeout: patienceMs })
    return { mutant, caught: answer.parse(JSON.parse(stdout)) }
  } catch (error) {
    // The other verdicts count all the same.
    if ((error as { killed?: boolean }).killed === true) return { mutant, caught: null }
    throw error
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

/** Runs all mutants. The verdicts have the order of the list. @param judged called with each verdict at once */
export async function judgeAll(
  seeds: number,
  list: readonly Mutant[] = mutants,
  judged: (verdict: Verdict) => void = () => {},
): Promise<Verdict[]> {
  for (const mutant of list) await mutated(mutant)
  const verdicts: Verdict[] = []
  const rest = [...list.entries()]
  const work = async (): Promise<void> => {
    for (let next = rest.shift(); next !== undefined; next = rest.shift()) {
      const verdict = await judge(next[1], seeds)
      judged(verdict)
      verdicts[next[0]] = verdict
    }
  }
  await Promise.all(Array.from({ length: Math.min(2, availableParallelism()) }, work))
  return verdicts
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({
    options: { seeds: { type: 'string', default: '8000' }, only: { type: 'string', default: '' } },
  })
  const seeds = Number(values.seeds)
  const list = mutants.filter(({ name }) => name.includes(values.only))
  const verdicts = await judgeAll(seeds, list, ({ mutant, caught }) => {
    const found = caught === null ? 'NOT CAUGHT' : `seed ${caught.seed}`.padEnd(10)
    console.log(`${mutant.name.padEnd(58)} ${mutant.file.padEnd(26)} ${found} ${caught?.invariant ?? ''}`)
  })
  const missed = verdicts.filter(({ caught }) => caught === null).length
  console.log(JSON.stringify({ mutants: verdicts.length, caught: verdicts.length - missed, missed }))
  process.exitCode = missed > 0 ? 1 : 0
}
