import { type DdlTables, readDdl } from '../dts/ddl.ts'
import { escapeName, isTableName, unescapeName } from '../dts/names.ts'
import type { SourceType } from '../dts/types.ts'
import { merged, none, type Router, type Routing } from './routes.ts'

/** A DDL statement in its record. */
export interface FiledStatement {
  /** The name under which DTS filed the statement: a table, a database, or null. */
  readonly objectName: string | null
  /** The logical name of that table; null if the record does not have it. */
  readonly logicalName: string | null
  /** Null if the record cannot be decoded. */
  readonly statement: string | null
  readonly sourceType: SourceType
}

/**
 * The routes that get a statement: the routes of the table under which it is filed, and of all tables and databases that its text
 * names. If the text does not surely name all of them, every route that it could concern.
 */
export function routesOfStatement(filed: FiledStatement, router: Router): Routing {
  const { objectName, logicalName, statement, sourceType } = filed
  const isTable = objectName?.includes('.') === true
  if (isTable && !isTableName(objectName)) return none('unnamed')
  const ofName = isTable ? [router.routesForStatement(objectName, logicalName)] : []
  if (statement === null) {
    return isTable ? merged(ofName) : router.routesForDatabase(objectName || null)
  }
  const read = readDdl(statement, sourceType)
  if (read.certainty === 'unreadable') return router.routesForDatabase(null)
  const place = placeOf(objectName, sourceType, read)
  const names = read.tables.flatMap((parts) => fullNames(parts, place))
  const ofTables = names.map((parts) => routesOfName(parts, objectName, router))
  const ofDatabases = read.databases.map((name) => router.routesForDatabase(escapeName(name)))
  // A statement must name any other database, and `databases` has all names that may be databases.
  const ofPlace =
    read.certainty === 'sure' ? [] : [router.routesForDatabase(place.database && escapeName(place.database))]
  return merged([...ofName, ...ofTables, ...ofDatabases, ...ofPlace])
}

/** The database and schema of names that do not include them; null if unknown. */
interface Place {
  readonly database: string | null
  readonly schema: string | null
  /** The number of parts in the source's names; null if unknown. */
  readonly parts: 2 | 3 | null
}

function placeOf(objectName: string | null, source: SourceType, { tables, databases }: DdlTables): Place {
  // These sources have databases without schemas.
  const usual = source === 'MySQL' || source === 'DRDS' ? 2 : null
  if (objectName === null || objectName === '') return { database: null, schema: null, parts: usual }
  const parts = objectName.split('.').map(unescapeName)
  const [database = null, schema = null] = parts
  if (parts.length === 3) return { database, schema, parts: 3 }
  // If the statement names this database explicitly, it may have run in another one.
  const said = new Set([...tables.flatMap((name) => name.slice(-2, -1)), ...databases].map(fold))
  const isSaid = database !== null && said.has(fold(database))
  return { database: isSaid ? null : database, schema: null, parts: parts.length === 2 ? 2 : usual }
}

/** The full names that a name in a statement can mean. An unknown part is null. */
function fullNames(name: readonly string[], { database, schema, parts }: Place): (string | null)[][] {
  if (name.length === 3) return [[...name]]
  const short = name.length === 2 ? [...name] : [database, ...name]
  const long = name.length === 2 ? [database, ...name] : [database, schema, ...name]
  if (parts === null) return [short, long]
  return [parts === 2 ? short : long]
}

function routesOfName(parts: readonly (string | null)[], objectName: string | null, router: Router): Routing {
  if (parts.includes(null)) return router.routesForParts(parts.map((part) => part && escapeName(part)))
  const name = parts.map((part) => escapeName(part ?? '')).join('.')
  // `ofName` contains this table, also by its logical name.
  if (objectName !== null && fold(name) === fold(objectName)) return none('unrouted')
  return router.routesForStatement(name, null)
}

function fold(name: string): string {
  return name.toLowerCase()
}
