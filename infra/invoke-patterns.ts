/**
 * The names of the table functions as resources of an IAM policy. A role's inline policies may have 10,240 bytes together,
 * which hold about 70 names. So many names become fewer patterns: a beginning that several names share, and `*`.
 */

/** The bytes of an ARN before the function's name, with the longest partition and region, quotes and a comma. */
const arnBytes = 'arn:aws-us-gov:lambda:ap-northeast-1:123456789012:function:'.length + 3

/**
 * As many bytes as the other statements of poller and recovery leave, with room for statements that a user adds.
 */
export const invokeBytes = 6_000

/**
 * The names, or, if these are too long together, few and narrow patterns that match them all and fit.
 * @param others functions that no pattern may match
 * @param prefix of all names; it counts for the size and is not part of the result
 */
export function namePatterns(
  names: readonly string[],
  others: readonly string[],
  prefix: string,
  maxBytes = invokeBytes,
): string[] {
  let items: Item[] = names.toSorted().map((begin) => ({ begin, isPattern: false }))
  const fits = () =>
    items.reduce((sum, { begin }) => sum + arnBytes + prefix.length + begin.length + 1, 0) <= maxBytes
  while (!fits()) {
    const groups = narrowestGroups(items, others)
    if (groups.length === 0) break
    for (const { begin, members } of groups) {
      if (fits()) break
      items = [...items.filter((item) => !members.has(item)), { begin, isPattern: true }]
    }
    items.sort((one, other) => (one.begin < other.begin ? -1 : 1))
  }
  return items.map(({ begin, isPattern }) => (isPattern ? `${begin}*` : begin))
}

/** A name, or the beginning of several. */
interface Item {
  readonly begin: string
  readonly isPattern: boolean
}

interface Group {
  readonly begin: string
  readonly members: ReadonlySet<Item>
}

/** Groups with a common beginning that contain no smaller such group, the largest first. @param items sorted */
function narrowestGroups(items: readonly Item[], others: readonly string[]): Group[] {
  const begins = new Set<string>()
  for (const [index, item] of items.entries()) {
    const next = items[index + 1]
    if (next !== undefined) begins.add(sharedBeginning(item.begin, next.begin))
  }
  const allowed = [...begins].filter(
    (begin) => begin !== '' && !others.some((other) => other.startsWith(begin)),
  )
  return allowed
    .filter((begin) => !allowed.some((longer) => longer !== begin && longer.startsWith(begin)))
    .map((begin) => ({ begin, members: new Set(items.filter((item) => item.begin.startsWith(begin))) }))
    .sort((one, other) => other.members.size - one.members.size)
}

function sharedBeginning(one: string, other: string): string {
  let length = 0
  while (length < one.length && one[length] === other[length]) length += 1
  return one.slice(0, length)
}
