/* Keywords of DDL statements, of all dialects of DTS's sources together. */

/** Kinds of object that the reader understands. */
export const kinds = new Set(['TABLE', 'TABLES', 'VIEW', 'INDEX', 'DATABASE', 'SCHEMA'])
/** Words between the verb and the kind of object. None of them can begin a name in that place. */
export const modifiers = new Set(
  (
    'OR REPLACE TEMPORARY TEMP GLOBAL LOCAL PRIVATE UNLOGGED FOREIGN EXTERNAL UNIQUE FULLTEXT SPATIAL CLUSTERED ' +
    'NONCLUSTERED BITMAP COLUMN MATERIALIZED RECURSIVE FORCE NO NOFORCE EDITIONABLE NONEDITIONABLE IMMUTABLE SHARDED ' +
    'DUPLICATED ONLINE OFFLINE IGNORE NO_WRITE_TO_BINLOG ALGORITHM DEFINER SQL SECURITY INVOKER COLUMNSTORE PUBLIC'
  ).split(' '),
)
/** Parts of a table that ALTER TABLE can rename. */
export const renamedParts = new Set([
  'COLUMN',
  'INDEX',
  'KEY',
  'CONSTRAINT',
  'PARTITION',
  'SUBPARTITION',
  'ATTRIBUTE',
])
/** Statements that maintain a table. */
export const upkeep = new Set(['ANALYZE', 'OPTIMIZE', 'REPAIR', 'CHECK'])
/** Objects with a body, which can contain semicolons. */
export const withBody = new Set(['PROCEDURE', 'FUNCTION', 'TRIGGER', 'EVENT', 'PACKAGE', 'TYPE', 'LIBRARY'])
