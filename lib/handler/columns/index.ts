/** Column types for the `row` of `defineTable`, in addition to zod's own. docs/columns.md explains each. */

export { type DateOptions, dateColumn } from './date.ts'
export { type DecimalOptions, decimalColumn, decimalToBigint } from './decimal.ts'
export type { Geometry, Position } from './geojson.ts'
export { geometryColumn } from './geometry.ts'
export { type JsonOptions, type JsonValue, jsonColumn } from './json.ts'
