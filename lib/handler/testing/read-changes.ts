import { readFileSync } from 'node:fs'
import { type ChangeJson, changeToJson, parseChange } from '../../dts/json.ts'
import { DtsError } from '../../errors.ts'
import { messageOf } from '../../text/thrown.ts'

/**
 * Reads a file that `npm run tail -- --format json` wrote: one change on each line.
 * @throws DtsError CHANGE_JSON_INVALID, with file and line
 */
export function readChanges(file: string | URL): ChangeJson[] {
  const lines = readFileSync(file, 'utf8').split('\n')
  return lines.flatMap((line, at) => {
    if (line.trim() === '') return []
    try {
      return [changeToJson(parseChange(line))]
    } catch (cause) {
      throw new DtsError('CHANGE_JSON_INVALID', `${file}:${at + 1}: ${messageOf(cause)}`, {
        retryable: false,
        facts: { line: at + 1 },
        cause,
      })
    }
  })
}
