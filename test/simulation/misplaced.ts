import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { mutants } from './mutations.ts'
import { findPlace } from './place.ts'

export const root = fileURLToPath(new URL('../../', import.meta.url))
export const sources = new Map(
  mutants.map(({ file }) => [file, readFileSync(join(root, file), 'utf8')] as const),
)

/** The mutants that have no place in these sources, with the reason. */
export function misplaced(texts: ReadonlyMap<string, string>): string[] {
  return mutants.flatMap(({ name, file, find, within }) => {
    try {
      findPlace(texts.get(file) ?? '', find, within)
      return []
    } catch (error) {
      return [`${name} (${file}): ${error}`]
    }
  })
}
