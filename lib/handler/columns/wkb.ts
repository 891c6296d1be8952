import { type Geometry, GeometryFault, geometryTypes, maxDepth, type Position } from './geojson.ts'

/**
 * Reads a geometry with this grammar:
 *
 *     geometry  = order uint8 (0 big, 1 little), type uint32, [srid uint32], content
 *     type      = 1…7, + 1000 with Z (ISO); or the flags 0x80000000 Z, 0x20000000 srid (EWKB)
 *     content   = point | count uint32, then points, rings (count uint32, then points) or geometries
 *
 * or MySQL's `srid uint32, geometry`. Both can begin with 0 or 1, so the form that uses all bytes applies.
 * @throws GeometryFault
 */
export function readWkb(bytes: Buffer): Geometry {
  try {
    return new WkbReader(bytes, 0).whole()
  } catch (plainFault) {
    try {
      return new WkbReader(bytes, 4).whole()
    } catch (prefixedFault) {
      const plain = bytes.length < 5 || bytes[0] === 0 || bytes[0] === 1
      throw plain ? plainFault : prefixedFault
    }
  }
}

class WkbReader {
  readonly #bytes: Buffer
  #position: number
  #little = true
  #dimensions = 2

  constructor(bytes: Buffer, position: number) {
    this.#bytes = bytes
    this.#position = position
  }

  whole(): Geometry {
    const geometry = this.#geometry(0)
    if (this.#position !== this.#bytes.length)
      throw this.#fault(`has ${this.#bytes.length} bytes, but the geometry ends after ${this.#position}`)
    return geometry
  }

  #geometry(depth: number): Geometry {
    if (depth > maxDepth) throw this.#fault(`is nested deeper than ${maxDepth}`)
    const type = this.#header()
    switch (type) {
      case 'Point':
        return { type, coordinates: this.#point(true) }
      case 'LineString':
        return { type, coordinates: this.#points() }
      case 'Polygon':
        return { type, coordinates: this.#rings() }
      case 'MultiPoint':
        return { type, coordinates: this.#parts('Point', () => this.#point(true)) }
      case 'MultiLineString':
        return { type, coordinates: this.#parts('LineString', () => this.#points()) }
      case 'MultiPolygon':
        return { type, coordinates: this.#parts('Polygon', () => this.#rings()) }
      case 'GeometryCollection':
        return { type, geometries: this.#list(() => this.#geometry(depth + 1)) }
    }
  }

  #header() {
    const order = this.#take(1)
    const mark = this.#bytes[order]
    if (mark !== 0 && mark !== 1) throw this.#fault('has a byte order other than 0 and 1')
    this.#little = mark === 1
    const code = this.#uint32()
    if (code & 0x20000000) this.#uint32()
    const plain = code & 0x1fffffff
    const iso = Math.floor(plain / 1000)
    if (code & 0x40000000 || iso === 2 || iso === 3) throw this.#fault('has measures (M)')
    const type = geometryTypes[(plain % 1000) - 1]
    if (type === undefined || iso > 3) throw this.#fault('is of a type that GeoJSON does not have')
    this.#dimensions = code & 0x80000000 || iso === 1 ? 3 : 2
    return type
  }

  /** The members of a Multi… geometry. Each has its own header. */
  #parts<T>(expected: string, read: () => T): T[] {
    return this.#list(() => {
      if (this.#header() !== expected) throw this.#fault(`has a part that is not a ${expected}`)
      return read()
    })
  }

  #rings(): Position[][] {
    return this.#list(() => this.#points())
  }

  #points(): Position[] {
    return this.#list(() => this.#point(false))
  }

  /** Allocates no memory by the count. Every item takes bytes, so that a hostile count fails at the end of the bytes. */
  #list<T>(read: () => T): T[] {
    const items: T[] = []
    for (let left = this.#uint32(); left > 0; left--) items.push(read())
    return items
  }

  /** @param mayBeEmpty true for a Point geometry, which is empty if all of its coordinates are NaN */
  #point(mayBeEmpty: boolean): Position {
    const start = this.#take(this.#dimensions * 8)
    const position: Position = []
    for (let at = start; at < this.#position; at += 8) {
      position.push(this.#little ? this.#bytes.readDoubleLE(at) : this.#bytes.readDoubleBE(at))
    }
    if (position.every(Number.isFinite)) return position
    if (mayBeEmpty && position.every(Number.isNaN)) return []
    throw this.#fault('has a coordinate that is not a finite number')
  }

  #uint32(): number {
    const at = this.#take(4)
    return this.#little ? this.#bytes.readUInt32LE(at) : this.#bytes.readUInt32BE(at)
  }

  #take(size: number): number {
    const start = this.#position
    if (size > this.#bytes.length - start) throw this.#fault('ends before its last part')
    this.#position = start + size
    return start
  }

  #fault(reason: string): GeometryFault {
    return new GeometryFault(`WKB ${reason} (byte ${this.#position})`)
  }
}
