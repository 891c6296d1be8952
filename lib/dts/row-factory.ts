import type { ColumnValue, Row } from './types.ts'

type OpenRow = Record<string, ColumnValue>

/**
 * The prototype of every row: an empty, frozen object. So a row inherits no name, as if it had no prototype. A null
 * prototype would make V8 use a hash table, which is several times slower to fill and to read.
 */
export const rowPrototype: object = Object.freeze(Object.create(null))

export function emptyRow(): OpenRow {
  return Object.create(rowPrototype)
}

/** Makes a row from one value for each of its names. No value is undefined. */
type RowConstructor = new (values: readonly (ColumnValue | undefined)[]) => Row

/**
 * Above this number, a constructor has no advantage: V8 then copies what it keeps outside of the object again and again
 * while the object grows.
 */
const maxGenerated = 400
/** A column list gets a constructor after this many images: to generate one for a rare list would cost more than it saves. */
const imagesUntilGenerated = 8

/** Makes the rows of one set of columns. */
export class RowFactory {
  readonly #names: readonly string[]
  #images = 0
  #generated: RowConstructor | null = null

  constructor(names: readonly string[]) {
    this.#names = names
  }

  /**
   * @param values one for each name; undefined if the image does not have the column
   * @param complete false if a value may be undefined
   */
  make(values: readonly (ColumnValue | undefined)[], complete: boolean): Row {
    const generated = this.#generated
    return generated !== null && complete ? new generated(values) : this.#fill(values)
  }

  #fill(values: readonly (ColumnValue | undefined)[]): Row {
    const names = this.#names
    if (++this.#images === imagesUntilGenerated && names.length <= maxGenerated) {
      this.#generated = generate(names)
    }
    const row = emptyRow()
    for (let index = 0; index < names.length; index++) {
      const value = values[index]
      if (value !== undefined) row[names[index] as string] = value
    }
    return row
  }
}

/**
 * A constructor that names each column in its source, `this["id"]=v[0];this["status"]=v[1]`. V8 then writes the values to
 * fixed places, ten times faster than by names that it sees only at run time. The names come from the stream. They enter
 * the source as JSON strings only, and every JSON string is a string literal of JavaScript.
 */
function generate(names: readonly string[]): RowConstructor {
  const source = names.map((name, index) => `this[${JSON.stringify(name)}]=v[${index}]`).join(';')
  const made: unknown = new Function('v', source)
  return Object.assign(made as RowConstructor, { prototype: rowPrototype })
}
