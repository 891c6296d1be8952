import { type DeclaredTables, Pattern } from '../lib/dispatch/pattern.ts'
import { DtsError } from '../lib/errors.ts'

interface Declaring {
  /** The file's name in error messages. */
  readonly file: string
  readonly tables: DeclaredTables
}

/**
 * Refuses two files if it is ambiguous which of them gets a table: both have the same pattern, or two patterns can match
 * one table and neither is narrower than the other.
 * @throws DtsError CONFIG_INVALID, naming both files and both patterns
 */
export function checkConflicts(files: readonly Declaring[]): void {
  const checked: { readonly file: Declaring; readonly pattern: Pattern }[] = []
  const byName = new Map<string, Declaring>()
  for (const file of files) {
    const own = file.tables.patterns.map((text) => new Pattern(text))
    for (const pattern of own) {
      const other = byName.get(pattern.text)
      if (other !== undefined) throw bothHandle(other, file, pattern)
      for (const earlier of checked) {
        // Two different names cannot match the same table.
        if (pattern.isExact && earlier.pattern.isExact) continue
        checkPair(earlier.file, earlier.pattern, file, pattern)
      }
    }
    for (const pattern of own) {
      checked.push({ file, pattern })
      byName.set(pattern.text, file)
    }
  }
}

function bothHandle(one: Declaring, other: Declaring, { text }: Pattern): DtsError {
  return invalid(
    `${one.file} and ${other.file} both handle the table "${text}". A change goes to one ` +
      'function: give one of them another table, or join the two files.',
  )
}

function checkPair(one: Declaring, mine: Pattern, other: Declaring, theirs: Pattern): void {
  if (!mine.meets(theirs)) return
  // The narrower pattern wins.
  if (theirs.contains(mine) || mine.contains(theirs)) return
  const leftOut = [...one.tables.except, ...other.tables.except].map((text) => new Pattern(text))
  if (leftOut.some((pattern) => pattern.coversMeeting(mine, theirs))) return
  throw invalid(
    `"${mine.text}" of ${one.file} and "${theirs.text}" of ${other.file} can match the same table, and neither lies within ` +
      'the other, so that it is open which function gets its changes. Make one of them narrower, or leave the tables that ' +
      `both match out of one of them: table: ['${mine.text}', '!${theirs.text}'].`,
  )
}

function invalid(message: string): DtsError {
  return new DtsError('CONFIG_INVALID', message, { retryable: false })
}
