import { existsSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import type * as z from 'zod'
import { DtsError } from '../lib/errors.ts'

const file = 'serverless.yml'

/**
 * The refusal of a section of `custom` in serverless.yml: each fault on a line of its own, with its line in the file where that
 * can be told.
 */
export function invalidSetting(section: string, error: z.ZodError): DtsError {
  const path = resolve(file)
  const lines = existsSync(path) ? readFileSync(path, 'utf8').split('\n') : []
  const faults = error.issues.flatMap(({ code, path: inner, message, ...more }) => {
    // An unknown key is no part of the issue's path.
    const keys = code === 'unrecognized_keys' && 'keys' in more ? (more.keys as string[]) : [undefined]
    return keys.map((key) => {
      const whole = ['custom', section, ...inner.map(String), ...(key === undefined ? [] : [key])]
      const line = lineOf(lines, whole)
      return `${file}${line === null ? '' : `:${line}`} ${whole.join('.')}: ${message}`
    })
  })
  const text = `custom.${section} in ${file} is invalid:\n${faults.join('\n')}`
  return new DtsError('CONFIG_INVALID', text, { retryable: false })
}

/**
 * The number of the line with the last key of `path`, or with the last one that is on a line of its own. Null if not even the
 * first two are: the setting comes from another file, or from a variable.
 */
export function lineOf(lines: readonly string[], path: readonly string[]): number | null {
  let found: number | null = null
  let from = 0
  let depth = -1
  for (const [level, key] of path.entries()) {
    const index = findKey(lines, from, depth, key)
    if (index === -1) return level < 2 ? null : found
    found = index + 1
    from = index + 1
    depth = indentOf(lines[index] ?? '')
  }
  return found
}

/** The index of the line `key:` in the block that begins at `from` and is indented more than `depth`; -1 if there is none. */
function findKey(lines: readonly string[], from: number, depth: number, key: string): number {
  let inner: number | null = null
  for (let index = from; index < lines.length; index++) {
    const line = lines[index] ?? ''
    if (line.trim() === '' || line.trimStart().startsWith('#')) continue
    const indent = indentOf(line)
    if (indent <= depth) return -1
    inner ??= indent
    const name = line.trimStart().replace(/^(['"])(.*?)\1(?=:)/, '$2')
    if (indent === inner && name.startsWith(`${key}:`)) return index
  }
  return -1
}

function indentOf(line: string): number {
  return line.length - line.trimStart().length
}
