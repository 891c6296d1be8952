import { createHash } from 'node:crypto'

/** The words that serverless writes into logical ids in place of characters that CloudFormation refuses. */
const dashAndUnderscore = /Dash|Underscore/

/**
 * A function's key in the service. It is the key of its file, unless that contains one of serverless's own words. Otherwise
 * `a-b` and `aDashb` would have the same logical id, and one of the two functions would be lost.
 */
export function serviceKey(key: string): string {
  if (!dashAndUnderscore.test(key)) return key
  return `${key}Id${createHash('sha256').update(key).digest('hex').slice(0, 8)}`
}

/** The logical id of the role: only letters and digits, and different for each key. */
export function roleId(key: string): string {
  const words = serviceKey(key).replaceAll('-', 'Dash').replaceAll('_', 'Underscore')
  return `${words.charAt(0).toUpperCase()}${words.slice(1)}Role`
}
