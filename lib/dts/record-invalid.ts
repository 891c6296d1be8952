import { DtsError } from '../errors.ts'

/**
 * The error for bytes that are not a DTS record.
 * @param path names the field of the record, never a value
 */
export function recordInvalid(
  problem: string,
  path: string,
  facts: Readonly<Record<string, string | number>> = {},
): DtsError {
  const where = facts.position === undefined ? '' : ` at byte ${facts.position} of ${facts.size}`
  return new DtsError(
    'RECORD_INVALID',
    `The bytes are not a DTS record that the decoder understands: ${path}${where}: ${problem}. ` +
      'Keep the raw bytes of this record (the dead letter contains them) and compare them with the record schema.',
    { retryable: false, facts: { path, ...facts } },
  )
}
