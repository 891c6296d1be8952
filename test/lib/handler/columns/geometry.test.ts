import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as z from 'zod'
import { type Geometry, geometryColumn } from '../../../../lib/handler/columns/index.ts'

const column = geometryColumn()

/** MySQL's form: the spatial reference id in little endian, then the WKB. */
function mysql(srid: number, wkb: string): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(srid)
  return Buffer.concat([bytes, Buffer.from(wkb, 'hex')])
}

function refusal(value: unknown): string {
  const result = z.object({ c: column }).safeParse({ c: value })
  assert.ok(!result.success, 'accepted')
  assert.deepEqual(result.error.issues[0]?.path, ['c'])
  return result.error.issues[0]?.message ?? ''
}

/** The output of GEOS: WKT, little-endian ISO WKB, big-endian EWKB with SRID 4326. */
const samples: readonly (readonly [wkt: string, wkb: string, ewkb: string, expected: Geometry])[] = [
  [
    'POINT (1 -2.5)',
    '0101000000000000000000F03F00000000000004C0',
    '0020000001000010E63FF0000000000000C004000000000000',
    { type: 'Point', coordinates: [1.0, -2.5] },
  ],
  [
    'POINT Z (1 2 3)',
    '01E9030000000000000000F03F00000000000000400000000000000840',
    '00A0000001000010E63FF000000000000040000000000000004008000000000000',
    { type: 'Point', coordinates: [1.0, 2.0, 3.0] },
  ],
  [
    'POINT EMPTY',
    '0101000000000000000000F87F000000000000F87F',
    '0020000001000010E67FF80000000000007FF8000000000000',
    { type: 'Point', coordinates: [] },
  ],
  [
    'LINESTRING (0 0, 1 1)',
    '01020000000200000000000000000000000000000000000000000000000000F03F000000000000F03F',
    '0020000002000010E600000002000000000000000000000000000000003FF00000000000003FF0000000000000',
    {
      type: 'LineString',
      coordinates: [
        [0.0, 0.0],
        [1.0, 1.0],
      ],
    },
  ],
  [
    'LINESTRING EMPTY',
    '010200000000000000',
    '0020000002000010E600000000',
    { type: 'LineString', coordinates: [] },
  ],
  [
    'POLYGON ((0 0, 4 0, 4 4, 0 0), (1 1, 2 1, 2 2, 1 1))',
    '010300000002000000040000000000000000000000000000000000000000000000000010400000000000000000000000000000104000000000000010400000000000000000000000000000000004000000000000000000F03F000000000000F03F0000000000000040000000000000F03F00000000000000400000000000000040000000000000F03F000000000000F03F',
    '0020000003000010E6000000020000000400000000000000000000000000000000401000000000000000000000000000004010000000000000401000000000000000000000000000000000000000000000000000043FF00000000000003FF000000000000040000000000000003FF0000000000000400000000000000040000000000000003FF00000000000003FF0000000000000',
    {
      type: 'Polygon',
      coordinates: [
        [
          [0.0, 0.0],
          [4.0, 0.0],
          [4.0, 4.0],
          [0.0, 0.0],
        ],
        [
          [1.0, 1.0],
          [2.0, 1.0],
          [2.0, 2.0],
          [1.0, 1.0],
        ],
      ],
    },
  ],
  [
    'MULTIPOINT ((1 2), (3 4))',
    '0104000000020000000101000000000000000000F03F0000000000000040010100000000000000000008400000000000001040',
    '0020000004000010E60000000200000000013FF00000000000004000000000000000000000000140080000000000004010000000000000',
    {
      type: 'MultiPoint',
      coordinates: [
        [1.0, 2.0],
        [3.0, 4.0],
      ],
    },
  ],
  [
    'MULTILINESTRING ((0 0, 1 1), (2 2, 3 3))',
    '01050000000200000001020000000200000000000000000000000000000000000000000000000000F03F000000000000F03F0102000000020000000000000000000040000000000000004000000000000008400000000000000840',
    '0020000005000010E600000002000000000200000002000000000000000000000000000000003FF00000000000003FF00000000000000000000002000000024000000000000000400000000000000040080000000000004008000000000000',
    {
      type: 'MultiLineString',
      coordinates: [
        [
          [0.0, 0.0],
          [1.0, 1.0],
        ],
        [
          [2.0, 2.0],
          [3.0, 3.0],
        ],
      ],
    },
  ],
  [
    'MULTIPOLYGON (((0 0, 1 0, 1 1, 0 0)), ((5 5, 6 5, 6 6, 5 5)))',
    '0106000000020000000103000000010000000400000000000000000000000000000000000000000000000000F03F0000000000000000000000000000F03F000000000000F03F000000000000000000000000000000000103000000010000000400000000000000000014400000000000001440000000000000184000000000000014400000000000001840000000000000184000000000000014400000000000001440',
    '0020000006000010E60000000200000000030000000100000004000000000000000000000000000000003FF000000000000000000000000000003FF00000000000003FF0000000000000000000000000000000000000000000000000000003000000010000000440140000000000004014000000000000401800000000000040140000000000004018000000000000401800000000000040140000000000004014000000000000',
    {
      type: 'MultiPolygon',
      coordinates: [
        [
          [
            [0.0, 0.0],
            [1.0, 0.0],
            [1.0, 1.0],
            [0.0, 0.0],
          ],
        ],
        [
          [
            [5.0, 5.0],
            [6.0, 5.0],
            [6.0, 6.0],
            [5.0, 5.0],
          ],
        ],
      ],
    },
  ],
  [
    'MULTIPOLYGON Z (((0 0 9, 1 0 9, 1 1 9, 0 0 9)))',
    '01EE0300000100000001EB0300000100000004000000000000000000000000000000000000000000000000002240000000000000F03F00000000000000000000000000002240000000000000F03F000000000000F03F0000000000002240000000000000000000000000000000000000000000002240',
    '00A0000006000010E600000001008000000300000001000000040000000000000000000000000000000040220000000000003FF0000000000000000000000000000040220000000000003FF00000000000003FF00000000000004022000000000000000000000000000000000000000000004022000000000000',
    {
      type: 'MultiPolygon',
      coordinates: [
        [
          [
            [0.0, 0.0, 9.0],
            [1.0, 0.0, 9.0],
            [1.0, 1.0, 9.0],
            [0.0, 0.0, 9.0],
          ],
        ],
      ],
    },
  ],
  [
    'GEOMETRYCOLLECTION (POINT (1 2), GEOMETRYCOLLECTION (LINESTRING (0 0, 1 1)))',
    '0107000000020000000101000000000000000000F03F000000000000004001070000000100000001020000000200000000000000000000000000000000000000000000000000F03F000000000000F03F',
    '0020000007000010E60000000200000000013FF00000000000004000000000000000000000000700000001000000000200000002000000000000000000000000000000003FF00000000000003FF0000000000000',
    {
      type: 'GeometryCollection',
      geometries: [
        { type: 'Point', coordinates: [1.0, 2.0] },
        {
          type: 'GeometryCollection',
          geometries: [
            {
              type: 'LineString',
              coordinates: [
                [0.0, 0.0],
                [1.0, 1.0],
              ],
            },
          ],
        },
      ],
    },
  ],
]

test('every form of a geometry gives the same GeoJSON', () => {
  for (const [wkt, wkb, ewkb, expected] of samples) {
    assert.deepEqual(column.parse(wkt), expected, wkt)
    assert.deepEqual(column.parse(wkt.toLowerCase()), expected, `${wkt} in small letters`)
    assert.deepEqual(column.parse(`SRID=4326;${wkt}`), expected, `EWKT ${wkt}`)
    assert.deepEqual(column.parse(Buffer.from(wkb, 'hex')), expected, `WKB of ${wkt}`)
    assert.deepEqual(column.parse(Buffer.from(ewkb, 'hex')), expected, `EWKB of ${wkt}`)
    assert.deepEqual(column.parse(ewkb), expected, `EWKB of ${wkt} as hexadecimal text`)
    // 0, 1, 256 and 257 begin with bytes that could be a byte order.
    for (const srid of [0, 1, 256, 257, 4326, 0x01000000, 0xffffffff]) {
      assert.deepEqual(column.parse(mysql(srid, wkb)), expected, `${wkt} with SRID ${srid}`)
    }
  }
})

test('WKT is read in the forms that databases write', () => {
  for (const [wkt, expected, reason] of [
    ['POINT(1 2)', { type: 'Point', coordinates: [1, 2] }, 'MySQL writes no space'],
    ['POINTZ(1 2 3)', { type: 'Point', coordinates: [1, 2, 3] }, 'Z without space'],
    ['POINT (1 2 3)', { type: 'Point', coordinates: [1, 2, 3] }, 'Z by its number alone'],
    ['POINT(-1.5e-3 +.5)', { type: 'Point', coordinates: [-0.0015, 0.5] }, 'numbers'],
    [
      'MULTIPOINT(1 2,3 4)',
      {
        type: 'MultiPoint',
        coordinates: [
          [1, 2],
          [3, 4],
        ],
      },
      'without inner brackets',
    ],
    ['  POINT\n( 1\t2 ) ', { type: 'Point', coordinates: [1, 2] }, 'white space'],
    ['MULTIPOLYGON EMPTY', { type: 'MultiPolygon', coordinates: [] }, 'empty'],
    ['GEOMETRYCOLLECTION EMPTY', { type: 'GeometryCollection', geometries: [] }, 'an empty collection'],
  ] as const) {
    assert.deepEqual(column.parse(wkt), expected, reason)
  }
})

test('a value that is not a geometry of GeoJSON is refused, and the error contains no coordinates', () => {
  const point = '0101000000000000000000F03F00000000000004C0'
  const nested = (depth: number) => `${'GEOMETRYCOLLECTION('.repeat(depth)}POINT(77 1)${')'.repeat(depth)}`
  for (const [value, message, reason] of [
    ['', /type that GeoJSON/, 'nothing'],
    ['77', /type that GeoJSON/, 'a number'],
    ['POINT', /lacks a "\("/, 'no coordinates'],
    ['POINT(77)', /too few or too many/, 'one number'],
    ['POINT(77 1 1 1)', /measures/, 'four numbers'],
    ['POINT Z (77 1)', /too few or too many/, 'fewer numbers than Z needs'],
    ['POINT M (77 1 1)', /measures/, 'a measure'],
    ['POINTZM(77 1 1 1)', /measures/, 'a measure'],
    ['LINESTRING(77 1, 1 1 1)', /too few or too many/, 'dimensions that differ'],
    ['POINT(77 1', /lacks a "\)"/, 'cut off'],
    ['POINT(77 1))', /text after its geometry/, 'a bracket too many'],
    ['POINT(77 1) POINT(77 1)', /text after its geometry/, 'two geometries'],
    ['POINT(77 1e999)', /beyond the range/, 'overflow'],
    ['POINT(77 NaN)', /too few or too many/, 'NaN'],
    ['POINT(77 #)', /not part of a word/, 'another sign'],
    ['CIRCULARSTRING(77 1, 1 1, 2 2)', /type that GeoJSON/, 'a curve'],
    ['SRID=x;POINT(77 1)', /SRID/, 'an SRID that is not a number'],
    [nested(18), /nested deeper/, 'nesting'],
    [nested(100_000), /nested deeper/, 'nesting without end'],
    [Buffer.alloc(0), /ends before/, 'no bytes'],
    [Buffer.from(`${point}00`, 'hex'), /but the geometry ends after/, 'a byte too many'],
    [Buffer.from('02', 'hex'), /byte order/, 'a byte order that does not exist'],
    [Buffer.from('010800000000000000', 'hex'), /type that GeoJSON/, 'a curve'],
    [Buffer.from('010000000000000000', 'hex'), /type that GeoJSON/, 'type 0'],
    [Buffer.from('01d1070000', 'hex'), /measures/, 'ISO measures'],
    [Buffer.from('0101000040', 'hex'), /measures/, 'EWKB measures'],
    [Buffer.from('0102000000ffffffff', 'hex'), /ends before/, 'four billion points'],
    [Buffer.from('0103000000ffffffff', 'hex'), /ends before/, 'four billion rings'],
    [Buffer.from('0107000000ffffffff', 'hex'), /ends before/, 'four billion members'],
    [Buffer.from('010400000001000000010200000000000000', 'hex'), /not a Point/, 'a part of another type'],
    [Buffer.from('0101000000000000000000F07F0000000000000000', 'hex'), /finite/, 'Infinity'],
    [Buffer.from('0101000000000000000000F87F0000000000000000', 'hex'), /finite/, 'half empty'],
    [Buffer.from(`${'010700000001000000'.repeat(1000)}${point}`, 'hex'), /nested deeper/, 'nesting'],
    [77, /neither bytes/, 'a number'],
    [null, /neither bytes/, 'NULL, which .nullable() lets through'],
  ] as const) {
    const found = refusal(value)
    assert.match(found, message, reason)
    assert.doesNotMatch(found, /77/, reason)
  }
})

const finite = z.number()
const position = z.union([z.tuple([finite, finite]), z.tuple([finite, finite, finite])])
/** A Point geometry can be empty. */
const point = z.union([position, z.tuple([])])
const typed = <T extends z.ZodType>(type: string, coordinates: T) =>
  z.strictObject({ type: z.literal(type), coordinates })
/** Checks the structure of RFC 7946. */
const geoJson: z.ZodType = z.union([
  typed('Point', point),
  typed('LineString', position.array()),
  typed('Polygon', position.array().array()),
  typed('MultiPoint', point.array()),
  typed('MultiLineString', position.array().array()),
  typed('MultiPolygon', position.array().array().array()),
  z.strictObject({ type: z.literal('GeometryCollection'), geometries: z.lazy(() => geoJson.array()) }),
])

test('a geometry that is cut at any byte is refused, and one with any flipped bit is refused or read as GeoJSON', () => {
  const outcomes = { read: 0, refused: 0 }
  for (const [wkt, wkb] of samples) {
    const bytes = Buffer.from(wkb, 'hex')
    for (let length = 0; length < bytes.length; length++) refusal(bytes.subarray(0, length))
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const turned = Buffer.from(bytes)
      turned.writeUInt8(turned.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3)
      const result = column.safeParse(turned)
      outcomes[result.success ? 'read' : 'refused'] += 1
      if (!result.success) refusal(turned)
      else assert.ok(geoJson.safeParse(result.data).success, `${turned.toString('hex')} is not GeoJSON`)
    }
    for (let length = 0; length < wkt.length; length++) {
      // A text without brackets could be complete when it is cut between two digits. With brackets it cannot.
      refusal(wkt.slice(0, length))
    }
  }
  assert.ok(outcomes.read > 0 && outcomes.refused > 0, JSON.stringify(outcomes))
})
