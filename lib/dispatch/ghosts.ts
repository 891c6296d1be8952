/**
 * Ghost tables: a tool for online schema changes creates one for the real table and copies its rows there. Only their names show
 * what they are. DTS documents the first two rules for itself.
 */
const rules = [
  // The copy of gh-ost and of pt-online-schema-change, which replaces the real table in the end.
  /^_.+_(?:gho|new)$/s,
  // gh-ost's own log, and the real table after it was replaced.
  /^_.+_(?:ghc|del|old)$/s,
  // The same three tables of Alibaba's DMS, which begin with the number of its task.
  /^tp_[0-9]+_(?:ogt|ogl|del)_.+$/s,
]

/** @param table the last part of a name */
export function isGhost(table: string): boolean {
  return rules.some((rule) => rule.test(table))
}
