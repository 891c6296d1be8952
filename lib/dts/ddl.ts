import { kinds, modifiers, renamedParts, upkeep, withBody } from './ddl-words.ts'
import { mostQualifiers, SqlCursor } from './sql-cursor.ts'
import type { SourceType } from './types.ts'

/** The tables that a statement concerns which changes a schema. */
export interface DdlTables {
  /** Each name as its parts, from one to three, as the statement writes them. */
  readonly tables: readonly (readonly string[])[]
  /** Databases or schemas that it concerns as a whole. */
  readonly databases: readonly string[]
  /**
   * `sure`: these are all. `unsure`: the reader does not know the form, so the statement may concern any other table of
   * `databases` or of the database that it ran in. `unreadable`: it may concern any table.
   */
  readonly certainty: 'sure' | 'unsure' | 'unreadable'
}

/**
 * Reads the tables, views and databases that a DDL text names. It knows CREATE, ALTER, DROP, RENAME, TRUNCATE, COMMENT and
 * table maintenance, in the dialects of DTS's sources, in one statement or several. A statement does not concern tables
 * that it only reads (LIKE, AS SELECT, REFERENCES). The time is proportional to the length of the text.
 */
export function readDdl(statement: string, source: SourceType): DdlTables {
  return new DdlReader(statement, source).read()
}

type Verb = 'CREATE' | 'ALTER' | 'DROP'

class DdlReader {
  readonly #sql: SqlCursor
  readonly #tables: (readonly string[])[] = []
  readonly #databases = new Set<string>()
  #isSure = true

  constructor(statement: string, source: SourceType) {
    this.#sql = new SqlCursor(statement, source)
  }

  read(): DdlTables {
    while (!this.#sql.isAtEnd()) {
      this.#statement()
      while (!this.#sql.isOver()) this.#sql.advance()
      while (this.#sql.isSymbol(';')) this.#sql.advance()
    }
    const isSure = this.#isSure && (this.#tables.length > 0 || this.#databases.size > 0)
    if (!isSure) for (const name of this.#sql.qualifiers) this.#databases.add(name)
    const isReadable = !this.#sql.isBroken && (isSure || this.#sql.qualifiers.size <= mostQualifiers)
    return {
      tables: this.#tables,
      databases: [...this.#databases],
      certainty: isReadable ? (isSure ? 'sure' : 'unsure') : 'unreadable',
    }
  }

  #statement(): void {
    const verb = this.#sql.word()
    this.#sql.advance()
    if (verb === 'CREATE' || verb === 'ALTER' || verb === 'DROP') this.#onObject(verb)
    else if (verb === 'RENAME') this.#rename()
    else if (verb === 'TRUNCATE') {
      this.#sql.accept('TABLE')
      this.#list(this.#tables)
    } else if (upkeep.has(verb) && this.#kind() === 'TABLE') this.#list(this.#tables)
    else if (verb === 'COMMENT') this.#comment()
    else this.#isSure = false
  }

  /** Reads up to and including the kind of object. @returns an empty text for a kind that the reader does not know */
  #kind(): string {
    for (;;) {
      const word = this.#sql.word()
      if (kinds.has(word)) {
        this.#sql.advance()
        return word === 'TABLES' ? 'TABLE' : word
      }
      if (withBody.has(word) || this.#sql.isOver()) return ''
      // DEFINER = user@host, ALGORITHM = word; the values can be texts or names in quotes.
      if (word !== '' && !modifiers.has(word) && !this.#sql.isValue) return ''
      this.#sql.advance()
    }
  }

  #onObject(verb: Verb): void {
    const kind = this.#kind()
    if (kind === '') this.#other()
    else if (kind === 'INDEX') this.#index(verb)
    else {
      this.#ifExists()
      if (kind === 'DATABASE' || kind === 'SCHEMA') this.#database(verb)
      else if (verb === 'DROP') this.#list(this.#tables)
      else this.#table(verb, kind)
    }
  }

  #table(verb: Verb, kind: string): void {
    this.#sql.accept('ONLY')
    // PostgreSQL: ALTER TABLE ALL IN TABLESPACE concerns every table of a tablespace.
    const isAll = verb === 'ALTER' && this.#sql.word() === 'ALL'
    const name = this.#sql.name()
    if (name === null || (isAll && this.#sql.word() === 'IN')) {
      this.#isSure = false
      return
    }
    this.#tables.push(name)
    if (verb === 'ALTER') this.#actions(name)
    else if (kind === 'TABLE') this.#partitionOf()
  }

  /** A kind of object that the reader does not know. MySQL sends one statement at a time: the rest is the object's body. */
  #other(): void {
    this.#isSure = false
    if (!this.#sql.isMySql || !withBody.has(this.#sql.word())) return
    while (!this.#sql.isAtEnd()) this.#sql.advance()
  }

  #ifExists(): void {
    if (!this.#sql.accept('IF')) return
    this.#sql.accept('NOT')
    this.#sql.accept('EXISTS')
  }

  #database(verb: Verb): void {
    const names: (readonly string[])[] = []
    if (verb === 'DROP') this.#list(names)
    else {
      const name = this.#sql.name()
      if (name !== null) names.push(name)
      // Without a name, MySQL alters the database that the statement ran in.
      if (verb === 'ALTER' || name === null) this.#isSure = false
      if (this.#sql.accept('RENAME') && this.#sql.accept('TO')) names.push(this.#sql.name() ?? [])
    }
    for (const name of names) for (const part of name) this.#databases.add(part)
  }

  #index(verb: Verb): void {
    while (verb !== 'ALTER' && !this.#sql.isOver() && this.#sql.word() !== 'ON') this.#sql.advance()
    this.#sql.accept('ON')
    this.#sql.accept('ONLY')
    // Without ON, only the source knows the index's table.
    this.#add(verb === 'ALTER' ? null : this.#sql.name())
  }

  /** `a TO b, c TO d`. Oracle leaves out TABLE. */
  #rename(): void {
    if (!this.#sql.accept('TABLE', 'TABLES')) this.#sql.accept('VIEW')
    this.#ifExists()
    do {
      const from = this.#sql.name()
      if (this.#sql.accept('WAIT')) this.#sql.advance()
      else this.#sql.accept('NOWAIT')
      if (from === null || !this.#sql.accept('TO')) {
        this.#isSure = false
        return
      }
      this.#add(from)
      this.#add(this.#sql.name())
    } while (this.#sql.comma())
  }

  #comment(): void {
    const isOn = this.#sql.accept('ON')
    const isColumn = this.#sql.word() === 'COLUMN'
    if (!isOn || !this.#sql.accept('TABLE', 'COLUMN', 'VIEW')) {
      this.#isSure = false
      return
    }
    const name = this.#sql.name(isColumn ? 4 : 3)
    this.#add(isColumn ? (name?.slice(0, -1) ?? null) : name)
  }

  /** PostgreSQL: a new partition also changes its parent table. */
  #partitionOf(): void {
    while (!this.#sql.isOver()) {
      if (this.#sql.accept('PARTITION')) {
        if (this.#sql.accept('OF')) this.#add(this.#sql.name())
      } else this.#sql.advance()
    }
  }

  /** The actions of ALTER that concern a second table or rename the first one. */
  #actions(table: readonly string[]): void {
    while (!this.#sql.isOver()) {
      if (this.#sql.accept('RENAME')) this.#renameAction(table)
      else if (this.#sql.accept('SET')) {
        if (this.#sql.accept('SCHEMA')) this.#addBeside(this.#sql.name(), table)
      } else if (this.#sql.accept('WITH')) {
        // EXCHANGE PARTITION p WITH TABLE b
        if (this.#sql.accept('TABLE')) this.#add(this.#sql.name())
      } else if (this.#sql.accept('ATTACH', 'DETACH')) {
        if (this.#sql.accept('PARTITION')) this.#add(this.#sql.name())
      } else if (this.#sql.accept('SWITCH')) {
        while (!this.#sql.isOver() && this.#sql.word() !== 'TO') this.#sql.advance()
        if (this.#sql.accept('TO')) this.#add(this.#sql.name())
      } else this.#sql.advance()
    }
  }

  #renameAction(table: readonly string[]): void {
    if (this.#sql.accept(...renamedParts)) return
    const isTable = this.#sql.accept('TO', 'AS') || this.#sql.isSymbol('=')
    if (this.#sql.isSymbol('=')) this.#sql.advance()
    const name = this.#sql.name()
    // PostgreSQL: RENAME column TO column.
    if (!isTable && this.#sql.word() === 'TO') return
    this.#add(name)
    // If the old name has a schema, some sources use it for the new name too.
    if (name?.length === 1 && table.length > 1) this.#add([...table.slice(0, -1), ...name])
  }

  /** The same table in another schema. */
  #addBeside(schema: readonly string[] | null, table: readonly string[]): void {
    const last = table.at(-1)
    if (schema === null || last === undefined || schema.length > 2) this.#isSure = false
    else this.#tables.push([...table.slice(0, -2), ...schema.slice(-1), last])
  }

  #add(name: readonly string[] | null): void {
    if (name === null) this.#isSure = false
    else this.#tables.push(name)
  }

  #list(names: (readonly string[])[]): void {
    this.#ifExists()
    do {
      this.#sql.accept('ONLY')
      const name = this.#sql.name()
      if (name === null) {
        this.#isSure = false
        return
      }
      names.push(name)
      if (this.#sql.isSymbol('*')) this.#sql.advance()
    } while (this.#sql.comma())
  }
}
