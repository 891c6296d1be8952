/** Two numbers, or three with an altitude, in the order of the source. */
export type Position = number[]

/** A GeoJSON geometry (RFC 7946), of the same shape as in `@types/geojson`. */
export type Geometry =
  | { type: 'Point'; coordinates: Position }
  | { type: 'LineString' | 'MultiPoint'; coordinates: Position[] }
  | { type: 'Polygon' | 'MultiLineString'; coordinates: Position[][] }
  | { type: 'MultiPolygon'; coordinates: Position[][][] }
  | { type: 'GeometryCollection'; geometries: Geometry[] }

/** In the order of WKB's type numbers, from 1. */
export const geometryTypes = [
  'Point',
  'LineString',
  'Polygon',
  'MultiPoint',
  'MultiLineString',
  'MultiPolygon',
  'GeometryCollection',
] as const
export type GeometryType = (typeof geometryTypes)[number]

/** Collections can contain collections, up to this depth. */
export const maxDepth = 16

/** The reason why a geometry cannot be read. The message never contains a coordinate. */
export class GeometryFault extends Error {}
