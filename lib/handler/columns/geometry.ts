import * as z from 'zod'
import { type Geometry, GeometryFault } from './geojson.ts'
import { valueFree } from './issues.ts'
import { readWkb } from './wkb.ts'
import { readWkt } from './wkt.ts'

const hexadecimal = /^(?:[0-9A-Fa-f]{2}){5,}$/

/**
 * A geometry column as GeoJSON. It reads WKB, MySQL's form of it (a spatial reference id, then WKB), PostGIS' EWKB as
 * bytes or hexadecimal text, WKT and EWKT. It keeps the coordinates: it drops the spatial reference id and projects
 * nothing. It refuses measures (M), curves and surfaces, which GeoJSON does not have.
 */
export function geometryColumn(): z.ZodType<Geometry, Buffer | string> {
  const input = z.custom<Buffer | string>((value) => typeof value === 'string' || Buffer.isBuffer(value), {
    error: 'is neither bytes (WKB) nor text (WKT)',
    params: valueFree,
  })
  return input.transform((value, context) => {
    try {
      if (typeof value !== 'string') return readWkb(value)
      return hexadecimal.test(value) ? readWkb(Buffer.from(value, 'hex')) : readWkt(value)
    } catch (error) {
      if (!(error instanceof GeometryFault)) throw error
      context.issues.push({ code: 'custom', message: error.message, input: value, params: valueFree })
      return z.NEVER
    }
  })
}
