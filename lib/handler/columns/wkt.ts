import {
  type Geometry,
  GeometryFault,
  type GeometryType,
  geometryTypes,
  maxDepth,
  type Position,
} from './geojson.ts'

/** A word, a number, or one of `( ) , ; =`, after any spaces. */
const token = /\s*(?:([A-Za-z]+)|([+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)|([(),;=]))/y

const byName = new Map<string, GeometryType>(geometryTypes.map((type) => [type.toUpperCase(), type]))

/**
 * Reads WKT, such as `POLYGON ((0 0, 1 0, 1 1, 0 0))`, `POINT Z (1 2 3)`, `MULTIPOINT (1 2, 3 4)`, `POINT EMPTY`,
 * and EWKT, which is `SRID=4326;` followed by WKT.
 * @throws GeometryFault
 */
export function readWkt(text: string): Geometry {
  const reader = new WktReader(text)
  if (reader.word('SRID')) reader.srid()
  const geometry = reader.geometry(0)
  reader.end()
  return geometry
}

class WktReader {
  readonly #text: string
  /** The current token is between these two positions. */
  #start = 0
  #end = 0
  #token = ''
  /** Coordinates of each position of the current geometry; 0 before its first position. */
  #dimensions = 0

  constructor(text: string) {
    this.#text = text
    this.#next()
  }

  srid(): void {
    this.#need('=')
    if (!/^[0-9]+$/.test(this.#token)) throw this.#fault('has an SRID that is not a number')
    this.#next()
    this.#need(';')
  }

  geometry(depth: number): Geometry {
    if (depth > maxDepth) throw this.#fault(`is nested deeper than ${maxDepth}`)
    const [, name = '', suffix = ''] = /^(.*?)(ZM|Z|M)?$/.exec(this.#token.toUpperCase()) ?? []
    const type = byName.get(name)
    if (type === undefined) throw this.#fault('is of a type that GeoJSON does not have')
    this.#next()
    const measured = suffix.includes('M') || this.word('M') || this.word('ZM')
    if (measured) throw this.#fault('has measures (M)')
    this.#dimensions = suffix === 'Z' || this.word('Z') ? 3 : 0
    switch (type) {
      case 'Point':
        return { type, coordinates: this.word('EMPTY') ? [] : this.#bracketed() }
      case 'LineString':
        return { type, coordinates: this.#list(() => this.#position()) }
      case 'MultiPoint':
        return { type, coordinates: this.#list(() => this.#member()) }
      case 'Polygon':
      case 'MultiLineString':
        return { type, coordinates: this.#list(() => this.#list(() => this.#position())) }
      case 'MultiPolygon':
        return {
          type,
          coordinates: this.#list(() => this.#list(() => this.#list(() => this.#position()))),
        }
      case 'GeometryCollection':
        return { type, geometries: this.#list(() => this.geometry(depth + 1)) }
    }
  }

  end(): void {
    if (this.#token !== '') throw this.#fault('has text after its geometry')
  }

  /** Moves over the current token if it is this word. */
  word(word: string): boolean {
    if (this.#token.toUpperCase() !== word) return false
    this.#next()
    return true
  }

  #list<T>(read: () => T): T[] {
    const items: T[] = []
    if (this.word('EMPTY')) return items
    this.#need('(')
    do items.push(read())
    while (this.word(','))
    this.#need(')')
    return items
  }

  /** Members of a MultiPoint have brackets; in older texts they have none. */
  #member(): Position {
    if (this.word('EMPTY')) return []
    return this.#token === '(' ? this.#bracketed() : this.#position()
  }

  #bracketed(): Position {
    this.#need('(')
    const position = this.#position()
    this.#need(')')
    return position
  }

  #position(): Position {
    const position: Position = []
    while (/^[-+.0-9]/.test(this.#token)) {
      const value = Number(this.#token)
      if (!Number.isFinite(value)) throw this.#fault('has a coordinate beyond the range of a double')
      position.push(value)
      this.#next()
    }
    this.#dimensions ||= position.length
    if (position.length !== this.#dimensions || position.length < 2) {
      throw this.#fault('has a position with too few or too many numbers')
    }
    if (position.length > 3) throw this.#fault('has measures (M)')
    return position
  }

  #need(token: string): void {
    if (!this.word(token)) throw this.#fault(`lacks a "${token}"`)
  }

  #next(): void {
    token.lastIndex = this.#end
    const match = token.exec(this.#text)
    if (match === null && this.#text.slice(this.#end).trim() !== '') {
      throw this.#fault('has a character that is not part of a word, number or bracket')
    }
    this.#start = this.#end
    this.#end = match === null ? this.#text.length : token.lastIndex
    this.#token = match?.[0].trim() ?? ''
  }

  #fault(reason: string): GeometryFault {
    return new GeometryFault(`WKT ${reason} (character ${this.#start})`)
  }
}
