import assert from 'node:assert/strict'
import { Writable } from 'node:stream'
import { describe, test } from 'node:test'
import { styleText } from 'node:util'
import { encodeRecord, integer, type PlainRecord, text } from '../../../../infra/local/encode.ts'
import { outputTo, type Sink } from '../../../../infra/operate/tail/output.ts'
import { parseChange } from '../../../../lib/dts/json.ts'
import type { NewRecord } from '../../../support/parts.ts'
import { t0 } from '../../../support/records.ts'
import { offsetsIn, run, shop, sinkOf } from './support.ts'

describe('tail', () => {
  test('prints every change as a line, and of an update the changed columns with both values', async (t) => {
    const { out, messages, isComplete } = await run(t, [])
    assert.deepEqual(out.split('\n'), [
      "2023-11-14T22:13:20Z 0 INSERT shop.orders id=1  status='new', unread='never asked for'",
      "2023-11-14T22:13:21Z 2 INSERT shop.orders id=2  status='new', unread='never asked for'",
      "2023-11-14T22:13:22Z 3 INSERT shop.users id=1  status='new', unread='never asked for'",
      "2023-11-14T22:13:23Z 7 UPDATE shop.orders id=1  status='new' → 'paid' (1 unchanged)",
      "2023-11-14T22:13:24Z 8 DELETE shop.orders id=2  status='paid', unread='never asked for'",
      '2023-11-14T22:13:25Z 9 DDL    shop.orders ALTER TABLE orders ADD x INT',
      '',
    ])
    assert.equal(messages, '6 changes of 10 records, offsets 0 to 9.\n')
    assert.ok(isComplete)
  })

  const selections: [argv: string[], offsets: number[]][] = [
    [['--table', 'shop.users'], [3]],
    [
      ['--table', '*.orders'],
      [0, 2, 7, 8, 9],
    ],
    [['--table', '!shop.orders'], [3]],
    [
      ['--operation', 'delete,update'],
      [7, 8],
    ],
    [['--operation', 'ddl'], [9]],
    [
      ['--where', "status = 'paid'"],
      [7, 8],
    ],
    [['--where', "changed(status) and before.status = 'new'"], [7]],
    [['--where', 'id = 2', '--operation', 'insert'], [2]],
    [
      ['--limit', '2'],
      [0, 2],
    ],
    [
      ['--from-offset', '7'],
      [7, 8, 9],
    ],
    [
      ['--from-offset', '2', '--to-offset', '8'],
      [2, 3, 7],
    ],
    [
      ['--from', String(t0 + 2)],
      [3, 7, 8, 9],
    ],
    [
      ['--from', String(t0 + 1), '--to', String(t0 + 3)],
      [2, 3],
    ],
    [['--from', 'latest'], []],
    [
      ['--to-offset', '99999'],
      [0, 2, 3, 7, 8, 9],
    ],
  ]
  for (const [argv, offsets] of selections) {
    test(`selects the changes at ${offsets.join(', ')} with ${argv.join(' ')}`, async (t) => {
      const { out } = await run(t, [...argv, '--format', 'json'])
      assert.deepEqual(offsetsIn(out), offsets)
    })
  }

  test('prints JSON that parseChange reads, with the chosen columns only', async (t) => {
    const { out } = await run(t, ['--format', 'json', '--columns', 'id,status', '--operation', 'update'])
    const change = parseChange(out)
    assert.ok(change.operation === 'UPDATE')
    assert.deepEqual({ ...change.before }, { id: 1n, status: 'new' })
    assert.deepEqual({ ...change.after }, { id: 1n, status: 'paid' })
  })

  test("prints a changelog with Flink's row kinds, and says that it leaves statements out", async (t) => {
    const { out, messages } = await run(t, [
      '--table',
      'shop.orders',
      '--format',
      'changelog',
      '--columns',
      'status,id',
    ])
    assert.deepEqual(out.split('\n'), [
      '+I[new, 1]',
      '+I[new, 2]',
      '-U[new, 1]',
      '+U[paid, 1]',
      '-D[paid, 2]',
      '',
    ])
    assert.match(messages, /1 statements \(DDL\) have no row, so changelog does not show them/)
  })

  test('prints csv with a header, and names the table in it', async (t) => {
    const { out } = await run(t, [
      '--table',
      'shop.orders',
      '--format',
      'csv',
      '--columns',
      'id,status',
      '--limit',
      '2',
    ])
    assert.equal(
      out,
      `kind,table,timestamp,offset,id,status\r\n+I,shop.orders,${t0},0,1,new\r\n+I,shop.orders,${t0 + 1},2,2,new\r\n`,
    )
  })

  test('quotes csv values so that empty text, NULL, commas and line breaks differ', async (t) => {
    const record: PlainRecord = {
      operation: 'INSERT',
      objectName: 'shop.notes',
      fields: ['a', 'b', 'c', 'd'].map((name) => [name, 253] as const),
      after: [text(''), { EmptyObject: 'NULL' }, text('x, "y"\n'), text('z')],
      sourceTimestamp: t0,
    }
    const { out } = await run(t, ['--table', 'shop.notes', '--format', 'csv'], [at(record)])
    assert.equal(out, `kind,table,timestamp,offset,a,b,c,d\r\n+I,shop.notes,${t0},0,"",,"x, ""y""\n",z\r\n`)
  })

  test('stops a csv before a column that its header lacks', async (t) => {
    const record = (names: string[]): NewRecord =>
      at({
        operation: 'INSERT',
        objectName: 'shop.notes',
        fields: names.map((name) => [name, 8] as const),
        after: names.map((_, index) => integer(index)),
        sourceTimestamp: t0,
      })
    await assert.rejects(
      run(t, ['--table', 'shop.notes', '--format', 'csv'], [record(['a']), record(['a', 'b'])]),
      { code: 'COLUMN_UNKNOWN', message: /From offset 1 on, shop\.notes has the column b/ },
    )
  })

  test('colours lines on a terminal, and never prints a character that a terminal obeys', async (t) => {
    const record: PlainRecord = {
      operation: 'INSERT',
      objectName: 'shop.notes',
      fields: [['note', 253]],
      after: [text('a\u001b[31m\r\nb')],
      sourceTimestamp: t0,
    }
    const plain = await run(t, [], [at(record)])
    assert.match(plain.out, /note='a\\u001b\[31m\\u000d\\u000ab'\n$/)
    const coloured = await run(t, [], [at(record)], { isTerminal: true })
    assert.ok(coloured.out.includes(styleText('green', 'INSERT', { validateStream: false })))
    assert.match(coloured.out, /note='a\\u001b\[31m/)
  })

  test('refuses a column that a selected table lacks, and lists the columns that it has', async (t) => {
    for (const flags of [
      ['--where', 'totl > 1'],
      ['--columns', 'id,totl'],
    ]) {
      await assert.rejects(run(t, flags), {
        code: 'COLUMN_UNKNOWN',
        message: /shop\.orders has no column totl\. Its columns are id, status, unread\./,
      })
    }
  })

  test('fails if no table matches a pattern, and lists the tables of the stream', async (t) => {
    const { isComplete, messages, out } = await run(t, [
      '--table',
      'shop.ordrs,shop.users',
      '--format',
      'json',
    ])
    assert.deepEqual(offsetsIn(out), [3])
    assert.match(messages, /No table there matches shop\.ordrs\. Its tables: shop\.orders, shop\.users\./)
    assert.equal(isComplete, false)
  })

  test('prints the changes around a record that cannot be read, names it, and fails', async (t) => {
    const broken: NewRecord = { value: Buffer.alloc(40, 0xff), timestamp: t0 }
    const { isComplete, messages, out } = await run(
      t,
      ['--format', 'json'],
      [shop[0] as NewRecord, broken, shop[2] as NewRecord],
    )
    assert.deepEqual(offsetsIn(out), [0, 2])
    assert.match(messages, /Offset 1 cannot be read: /)
    assert.match(messages, /1 records cannot be read/)
    assert.equal(isComplete, false)
  })

  const outside: [argv: string[], message: RegExp][] = [
    [['--from-offset', '99'], /Offset 99 is not in the data range: offsets 0 to 9/],
    [['--from-offset', '5', '--to-offset', '3'], /--from is at offset 5, and --to at offset 3 is before it/],
  ]
  for (const [argv, message] of outside) {
    test(`refuses ${argv.join(' ')} on a log of ten records`, async (t) => {
      await assert.rejects(run(t, argv), { code: 'CHECKPOINT_OUT_OF_RANGE', message })
    })
  }

  test('prints nothing and is complete if a part of the log has no change and no table was asked for', async (t) => {
    const { isComplete, out, messages } = await run(t, ['--from', 'latest'])
    assert.deepEqual([isComplete, out, messages], [true, '', '0 changes of 0 records, at offset 10.\n'])
  })

  test('leaves no listener on an output that is slower than the stream', async () => {
    const sink: Sink = new Writable({
      highWaterMark: 1,
      write: (_part, _encoding, done) => void setImmediate(done),
    })
    const output = outputTo(sink, sinkOf(false).sink, () => {})
    const before = ['drain', 'close', 'error'].map((name) => sink.listenerCount(name))
    for (let part = 0; part < 20; part++) await output.write('some changes')
    assert.deepEqual(
      ['drain', 'close', 'error'].map((name) => sink.listenerCount(name)),
      before,
    )
  })

  test('refuses a time outside the data range', async (t) => {
    await assert.rejects(run(t, ['--from', String(t0 + 1_000)]), { code: 'CHECKPOINT_OUT_OF_RANGE' })
  })
})

function at(record: PlainRecord): NewRecord {
  return { value: encodeRecord(record), timestamp: t0 }
}
