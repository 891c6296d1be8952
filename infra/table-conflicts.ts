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
  for (const [index, one] of files.entries()) {
    for (const other of files.slice(0, index)) {
      for (const mine of patternsOf(one)) {
        for (const theirs of patternsOf(other)) checkPair(other, theirs, one, mine)
      }
    }
  }
}

function checkPair(one: Declaring, mine: Pattern, other: Declaring, theirs: Pattern): void {
  if (!mine.meets(theirs)) return
  const [within, around] = [theirs.contains(mine), mine.contains(theirs)]
  if (within && around) {
    throw invalid(
      `${one.file} and ${other.file} both handle the table "${theirs.text}". A change goes to one ` +
        'function: give one of them another table, or join the two files.',
    )
  }
  // The narrower pattern wins.
  if (within || around) return
  const leftOut = [...one.tables.except, ...other.tables.except].map((text) => new Pattern(text))
  if (leftOut.some((pattern) => pattern.coversMeeting(mine, theirs))) return
  throw invalid(
    `"${mine.text}" of ${one.file} and "${theirs.text}" of ${other.file} can match the same table, and neither lies within ` +
      'the other, so that it is open which function gets its changes. Make one of them narrower, or leave the tables that ' +
      `both match out of one of them: table: ['${mine.text}', '!${theirs.text}'].`,
  )
}

function patternsOf({ tables }: Declaring): Pattern[] {
  return tables.patterns.map((text) => new Pattern(text))
}

function invalid(message: string): DtsError {
  return new DtsError('CONFIG_INVALID', message, { retryable: false })
}
