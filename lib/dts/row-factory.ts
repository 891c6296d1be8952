import type { ColumnValue, Row } from './types.ts'

type OpenRow = Record<string, ColumnValue>

/**
 * What every row has as its prototype: an object with nothing in it, on which nothing can be put. A row thus inherits
 * no name, as if it had no prototype; only, V8 makes an object without prototype a hash table, which takes several
 * times as long to fill and to read.
 */
export const rowPrototype: object = Object.freeze(Object.create(null))

export function emptyRow(): OpenRow {
  return Object.create(rowPrototype)
}

/** Makes a row of values in the order of its names, none of them undefined. */
type RowConstructor = new (values: readonly (ColumnValue | undefined)[]) => Row

/** Above this many, V8 keeps properties outside of the object anyway. */
const maxGenerated = 128
/** A column list is worth a constructor of its own when so many images have come with it. */
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
   * @param values one for each name, undefined where the image does not hold the column
   * @param complete false when one of them may be undefined
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
 * A constructor that names each column in its source, `this["id"]=v[0];this["status"]=v[1]`, so that V8 writes the
 * values to fixed places: ten times as quick as writing by names that it sees only at run time. The names come from
 * the stream, and enter the source as JSON strings only, which are string literals of JavaScript whatever they hold.
 */
function generate(names: readonly string[]): RowConstructor {
  const source = names.map((name, index) => `this[${JSON.stringify(name)}]=v[${index}]`).join(';')
  const made: unknown = new Function('v', source)
  return Object.assign(made as RowConstructor, { prototype: rowPrototype })
}
