import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as encode from '../../../infra/local/encode.ts'
import { seededWhole } from '../../../infra/local/random.ts'
import { operations, sourceTypes } from '../../../lib/dts/grammar.ts'
import { readHeader } from '../../../lib/dts/header.ts'
import type { ColumnValue, SourceType } from '../../../lib/dts/types.ts'
import { decode, row, tagsOf } from './samples.ts'

/** Random records, each with what they must decode to, worked out here from the plain values alone. */
class Generator {
  /** A whole number from 0 to below `limit`. */
  readonly below: (limit: number) => number

  constructor(seed: number) {
    this.below = seededWhole(seed)
  }

  oneOf<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)] as T
  }

  /** Integers of all magnitudes alike, both signs. */
  long(bits = 63): bigint {
    let value = 0n
    for (let bit = 0; bit < 64; bit += 16) value = (value << 16n) | BigInt(this.below(0x10000))
    const magnitude = BigInt.asUintN(1 + this.below(bits), value)
    return this.below(2) === 0 ? magnitude : -magnitude
  }

  string(): string {
    const alphabet = this.oneOf(['abcXYZ019_ ', 'aäöß€中文', '😀é\u0000\ufeff\\"'])
    const chars = [...alphabet]
    return Array.from({ length: this.below(this.oneOf([4, 20, 80])) }, () => this.oneOf(chars)).join('')
  }

  bytes(): Buffer {
    return Buffer.from(Array.from({ length: this.below(40) }, () => this.below(256)))
  }

  /** One column: its type number, and values with what they decode to. */
  column(sourceType: SourceType): {
    type: number
    value: () => [encode.PlainValue, ColumnValue | undefined]
  } {
    const fraction = () => this.below(this.oneOf([1, 1000, 1_000_000]))
    const six = (value: number) => String(value).padStart(6, '0')
    const two = (value: number) => String(value).padStart(2, '0')
    const small = { MySQL: 3, DRDS: 9, PostgreSQL: 23, PPAS: 21 }[sourceType as string]
    const date = () => {
      const at = new Date(Date.UTC(1 + this.below(9000), this.below(12), 1 + this.below(28)))
      at.setUTCFullYear(this.below(9999))
      const parts = { year: at.getUTCFullYear(), month: at.getUTCMonth() + 1, day: at.getUTCDate() }
      return [parts, `${String(parts.year).padStart(4, '0')}-${two(parts.month)}-${two(parts.day)}`] as const
    }
    const time = () => {
      const parts = {
        hour: this.below(24),
        minute: this.below(60),
        second: this.below(60),
        millis: fraction(),
      }
      const tail = parts.millis === 0 ? '' : `.${six(parts.millis)}`
      return [parts, `${two(parts.hour)}:${two(parts.minute)}:${two(parts.second)}${tail}`] as const
    }
    const kinds: (() => [encode.PlainValue, ColumnValue | undefined])[] = [
      () => {
        const value = this.long(64)
        return [encode.integer(value), value]
      },
      () => {
        const value = this.string()
        return [encode.text(value, this.oneOf(['utf8', 'utf8mb3', 'utf8mb4'])), value]
      },
      () => {
        const value = this.bytes()
        return [encode.text(value, 'binary'), value]
      },
      () => {
        const value = `${this.long()}.${this.below(1000)}`
        return [encode.decimal(value), value]
      },
      () => {
        const value = this.oneOf([
          0,
          -0,
          1 / 3,
          1e308,
          Number.NaN,
          Number.POSITIVE_INFINITY,
          Number(this.long()),
        ])
        return [encode.float(value), value]
      },
      () => {
        const seconds = Number(this.long(37))
        const part = fraction()
        const whole = new Date(seconds * 1000).toISOString().replace('.000Z', '')
        return [encode.timestamp(seconds, part), `${whole}.${six(part)}Z`]
      },
      () => {
        const [parts, text] = date()
        return [encode.dateTime(parts), text]
      },
      () => {
        const [day, dayText] = date()
        const [clock, clockText] = time()
        return [encode.dateTime({ ...day, ...clock }), `${dayText} ${clockText}`]
      },
      () => {
        const [day, dayText] = date()
        const [clock, clockText] = time()
        return [encode.zonedDateTime({ ...day, ...clock }, '+08:00'), `${dayText} ${clockText} +08:00`]
      },
      () => {
        const value = this.bytes()
        return [this.oneOf([encode.binaryObject, encode.binaryGeometry])(value), value]
      },
      () => {
        const value = this.string()
        return [this.oneOf([encode.textObject, encode.textGeometry])(value), value]
      },
    ]
    if (small !== undefined && this.below(3) === 0) {
      const value = (): [encode.PlainValue, ColumnValue] => {
        const number = Number(this.long(32))
        return [encode.integer(number), number === 0 ? 0 : number]
      }
      return { type: small, value: this.orMissing(value) }
    }
    return { type: 8, value: this.orMissing(this.oneOf(kinds)) }
  }

  orMissing(value: () => [encode.PlainValue, ColumnValue | undefined]) {
    return (): [encode.PlainValue, ColumnValue | undefined] => {
      switch (this.below(12)) {
        case 0:
          return [this.oneOf([encode.nothing, encode.emptyNull]), null]
        case 1:
          return [encode.emptyNone, undefined]
        default:
          return value()
      }
    }
  }
}

test('what avsc writes, the decoder reads', () => {
  for (let seed = 1; seed <= 1500; seed++) {
    const random = new Generator(seed)
    const operation = random.oneOf(['INSERT', 'UPDATE', 'DELETE', 'INIT'] as const)
    const sourceType = random.oneOf(sourceTypes)
    const names = [...new Set(Array.from({ length: 1 + random.below(14) }, () => random.string()))]
    const columns = names.map((name) => ({ name, ...random.column(sourceType) }))
    const image = () => columns.map(({ name, value }) => [name, ...value()] as const)
    const before = image()
    // What an update does not write, its images have twice.
    const written = image()
    const after = before.map((value, index) => (random.below(2) === 0 ? value : (written[index] ?? value)))
    const tags = Object.fromEntries(
      Array.from({ length: random.below(4) }, () => [random.string(), random.string()]),
    )
    const plain: encode.PlainRecord = {
      operation,
      version: Number(random.long(31)),
      id: random.long(),
      sourceTimestamp: random.long(53),
      sourcePosition: random.string(),
      safeSourcePosition: random.string(),
      sourceTxid: random.string(),
      sourceType,
      sourceVersion: random.string(),
      objectName: random.oneOf(['shop.orders', 'shop.public.orders', 'a\\u002Eb.c']),
      processTimestamps: random.oneOf([null, [], [random.long(), random.long()]]),
      tags,
      fields: columns.map(({ name, type }) => [name, type] as const),
      before: operation === 'UPDATE' || operation === 'DELETE' ? before.map(([, value]) => value) : null,
      after: operation === 'DELETE' ? null : after.map(([, value]) => value),
      bornTimestamp: random.oneOf([null, random.long()]),
    }
    const asked = random.below(2) === 0 ? undefined : names.filter(() => random.below(2) === 0)
    const rowOf = (values: typeof before) => {
      const wanted = values.filter(
        ([name, , value]) => value !== undefined && (asked?.includes(name) ?? true),
      )
      return row(Object.fromEntries(wanted.map(([name, , value]) => [name, value as ColumnValue])))
    }

    const bytes = encode.encodeRecord(plain)
    const change = decode(bytes, asked)
    const expected = {
      operation,
      table: plain.objectName,
      id: plain.id,
      timestamp: Number(plain.sourceTimestamp),
      sourceType,
      sourcePosition: plain.sourcePosition,
      transactionId: plain.sourceTxid,
      tags: tagsOf(tags),
      ...(operation === 'DELETE' ? {} : { after: rowOf(after) }),
      ...(operation === 'UPDATE' || operation === 'DELETE' ? { before: rowOf(before) } : {}),
    }
    const seen = Object.fromEntries(Object.keys(expected).map((key) => [key, Reflect.get(change, key)]))
    assert.deepEqual(seen, expected, `seed ${seed}`)
    const header = readHeader(bytes)
    assert.deepEqual(
      [header.version, header.safeSourcePosition, header.sourceVersion],
      [plain.version, plain.safeSourcePosition, plain.sourceVersion],
      `seed ${seed}`,
    )
  }
})

test('headers of all operations agree with avsc reading the same bytes', () => {
  for (const operation of operations) {
    const bytes = encode.encodeRecord({ operation, id: 2n ** 62n, objectName: 'a.b' })
    const theirs = encode.recordType.fromBuffer(bytes)
    const ours = readHeader(bytes)
    assert.deepEqual(
      [ours.id, ours.operation, ours.objectName, ours.sourceType, BigInt(ours.sourceTimestamp)],
      [
        theirs.id,
        theirs.operation,
        theirs.objectName.string,
        theirs.source.sourceType,
        theirs.sourceTimestamp,
      ],
    )
  }
})
