import { createHash } from 'node:crypto'

/** What serverless writes into names inside the template in the place of characters that CloudFormation does not allow. */
const dashAndUnderscore = /Dash|Underscore/

/**
 * A function's key in the service. It is the key of its file, but where that has one of the words that serverless puts
 * into names itself: `a-b` and `aDashb` would be one name inside the template, and one function would be lost.
 */
export function serviceKey(key: string): string {
  if (!dashAndUnderscore.test(key)) return key
  return `${key}Id${createHash('sha256').update(key).digest('hex').slice(0, 8)}`
}

/** The role's name inside the template: letters and digits only, and different for different keys. */
export function roleId(key: string): string {
  const words = serviceKey(key).replaceAll('-', 'Dash').replaceAll('_', 'Underscore')
  return `${words.charAt(0).toUpperCase()}${words.slice(1)}Role`
}
