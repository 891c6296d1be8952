/**
 * Tables that tools for online schema changes make beside the real one and fill with a copy of its rows. They are told by
 * their names alone. The first two rules are the ones that DTS documents for itself.
 */
const rules = [
  // The copy of gh-ost and of pt-online-schema-change, which takes the real table's place in the end.
  /^_.+_(?:gho|new)$/s,
  // gh-ost's log of its own doings, and the real table after it was replaced.
  /^_.+_(?:ghc|del|old)$/s,
  // The same three of Alibaba's DMS, which puts its task's number in front.
  /^tp_[0-9]+_(?:ogt|ogl|del)_.+$/s,
]

/** @param table the last part of a name */
export function isGhost(table: string): boolean {
  return rules.some((rule) => rule.test(table))
}
