/** Column types for the `row` of `defineTable`, beyond what zod has itself; docs/columns.md explains each. */

export { type DateOptions, dateColumn } from './columns/date.ts'
export { type DecimalOptions, decimalColumn, decimalToBigint } from './columns/decimal.ts'
export type { Geometry, Position } from './columns/geojson.ts'
export { geometryColumn } from './columns/geometry.ts'
export { type JsonOptions, type JsonValue, jsonColumn } from './columns/json.ts'
