import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { FeedReader } from '../../../../../infra/local/feed/feed-reader.ts'
import { decodeChange } from '../../../../../lib/dts/decode-change.ts'
import { readHeader } from '../../../../../lib/dts/header.ts'

const now = 1_790_000_000

/** Plays a script. @returns the operations with the images of rows */
function play(text: string, reader = new FeedReader()) {
  const { records, changes, faults } = reader.read(text, 'sql', now)
  const seen = records.map(({ value }) => {
    const header = readHeader(value)
    if (header.operation === 'BEGIN' || header.operation === 'COMMIT') return header.operation
    const change = decodeChange(value, header, { offset: 0n, generation: 0, replay: false })
    return {
      operation: change.operation,
      ...('before' in change ? { before: { ...change.before } } : {}),
      ...('after' in change ? { after: { ...change.after } } : {}),
    }
  })
  const ids = records.map(({ value }) => readHeader(value).sourceTxid)
  return { seen, changes, ids, faults: faults.map(({ line, reason }) => `${line}: ${reason}`) }
}

describe('a script of changes', () => {
  test('gives inserts, updates with the row before, and deletes, in transactions', () => {
    const { seen, ids, changes, faults } = play(`
      -- Two rows in one transaction.
      BEGIN;
      INSERT INTO shop.payments (id, status, amount) VALUES (7, 'new', 12.30), (8, 'it''s \\'new\\'', -1);
      UPDATE \`shop\`.payments SET status = 'paid', amount = 13.10 WHERE id = 7;
      COMMIT;
      delete from shop.payments where id = 7; # Without a transaction of its own
    `)
    assert.deepEqual(faults, [])
    const inserted = { id: 7n, status: 'new', amount: '12.30' }
    const paid = { id: 7n, status: 'paid', amount: '13.10' }
    assert.deepEqual(seen, [
      'BEGIN',
      { operation: 'INSERT', after: inserted },
      { operation: 'INSERT', after: { id: 8n, status: "it's 'new'", amount: '-1' } },
      { operation: 'UPDATE', before: inserted, after: paid },
      'COMMIT',
      'BEGIN',
      { operation: 'DELETE', before: paid },
      'COMMIT',
    ])
    assert.equal(changes, 4)
    assert.deepEqual(
      [new Set(ids.slice(0, 5)).size, new Set(ids.slice(5)).size, new Set(ids).size],
      [1, 1, 2],
    )
  })

  test('keeps the backslash before % and _, as MySQL does', () => {
    const { seen } = play(String.raw`INSERT INTO crm.notes (id, text) VALUES (1, '5\% \_x\_ \q \\%')`)
    assert.deepEqual(seen[1], {
      operation: 'INSERT',
      after: { id: 1, text: String.raw`5\% \_x\_ q \%` },
    })
  })

  test('finds the rows of the script before it', () => {
    const reader = new FeedReader()
    play("INSERT INTO crm.notes (id, text) VALUES (1, 'a');", reader)
    const { seen } = play("UPDATE crm.notes SET text = 'b' WHERE id = 1", reader)
    assert.deepEqual(seen[1], {
      operation: 'UPDATE',
      before: { id: 1, text: 'a' },
      after: { id: 1, text: 'b' },
    })
  })

  test('creates a table with types and a key of its own, which makes no change', () => {
    const { seen, faults } = play(`
      CREATE TABLE erp.stock (sku VARCHAR(40) NOT NULL, place INT, price DECIMAL(10, 2), at BIGINT, raw BLOB, PRIMARY KEY (sku, place));
      INSERT INTO erp.stock (sku, place, price, at, raw) VALUES ('tea', 1, 0.50, 9007199254740993, x'00ff');
      UPDATE erp.stock SET place = 2 WHERE place = 1 AND sku = 'tea';
      UPDATE erp.stock SET at = NULL WHERE sku = 'tea' AND place = 2;`)
    assert.deepEqual(faults, [])
    const row = {
      sku: 'tea',
      place: 1,
      price: '0.50',
      at: 9_007_199_254_740_993n,
      raw: Buffer.from('00ff', 'hex'),
    }
    assert.deepEqual(seen[1], { operation: 'INSERT', after: row })
    assert.deepEqual(seen[7], {
      operation: 'UPDATE',
      before: { ...row, place: 2 },
      after: { ...row, place: 2, at: null },
    })
  })

  test('with a fault sends nothing, and leaves the rows as they were', () => {
    const reader = new FeedReader()
    const first = play('INSERT INTO a.b (id) VALUES (1);\nUPDATE a.b SET id = 1;', reader)
    assert.deepEqual([first.seen, first.faults], [[], ['2: the statement ends where it needs WHERE']])
    assert.deepEqual(play('INSERT INTO a.b (id) VALUES (1)', reader).faults, [])
  })
})

const insertion = 'INSERT INTO a.b (id, c) VALUES (1, 2);\n'
const first = 'INSERT, UPDATE, DELETE, CREATE TABLE, BEGIN or COMMIT'
const refused: [script: string, fault: string][] = [
  ['\nSELECT 1;', `2: it has SELECT where it needs ${first}`],
  ['INSERT INTO b (id) VALUES (1)', '1: a table is named with its database, such as shop.b'],
  ['INSERT INTO a.b VALUES (1)', '1: it has VALUES where it needs ('],
  ['INSERT INTO a.b (id, c) VALUES (1)', '1: a row has 1 values for 2 columns'],
  ['INSERT INTO a.b (id, id) VALUES (1, 1)', '1: a column is named twice'],
  [
    'INSERT INTO a.b (id) VALUES (NOW())',
    "1: it has NOW where it needs a value: a number, 'text', x'hex', NULL, TRUE or FALSE",
  ],
  ["INSERT INTO a.b (id) VALUES ('open", "1: a ' has no end"],
  ['INSERT INTO a.b (id) VALUES ("1")', "1: a text is written in single quotes: 'text'"],
  ['INSERT INTO a.b (id) VALUES (1 + 1)', '1: a script has no character "+" here'],
  [
    'INSERT INTO a.b (c) VALUES (1)',
    '1: the key of a.b, id, has no value. If its key has another name, CREATE TABLE a.b (…, PRIMARY KEY (…)) says so',
  ],
  [`${insertion}${insertion}`, '2: a.b has a row with this key already'],
  [
    `${insertion}UPDATE a.b SET c = 3 WHERE c = 2;`,
    '2: WHERE names the key of a.b, id, and no other column: c',
  ],
  [`${insertion}UPDATE a.b SET d = 3 WHERE id = 1;`, '2: the row was inserted without a column d'],
  [`${insertion}UPDATE a.b SET c = 3 WHERE id > 1;`, '2: a script has no character ">" here'],
  [
    `${insertion}UPDATE a.b SET c = 3 WHERE id = 1 OR id = 2;`,
    '2: it has OR where it needs the end of the statement',
  ],
  ['DELETE FROM a.b WHERE id = 1', '1: no statement before it inserted this row of a.b'],
  ['DELETE FROM a.b', '1: the statement ends where it needs WHERE'],
  ['BEGIN;\nBEGIN;\nCOMMIT;', '2: the transaction of line 1 has no COMMIT yet'],
  ['\nBEGIN;', '2: no COMMIT ends this transaction'],
  ['COMMIT', '1: no BEGIN comes before it'],
  ['ROLLBACK', `1: it has ROLLBACK where it needs ${first}`],
  ['CREATE TABLE a.b (id GEOGRAPHY, PRIMARY KEY (id))', '1: id: GEOGRAPHY is no type that a script can have'],
  ['CREATE TABLE a.b (id INT, PRIMARY KEY (x))', '1: the key names x, which is no column of a.b'],
  ['CREATE TABLE a.b (id INT)', '1: it has ) where it needs , and then PRIMARY KEY (…)'],
]
for (const [script, fault] of refused) {
  test(`a script is refused with the line: ${JSON.stringify(script)}`, () => {
    assert.deepEqual(play(script).faults, [fault])
  })
}

test('each faulty statement of a script is named, and the next one is read after its semicolon', () => {
  assert.deepEqual(play("SELECT ';';\nINSERT INTO a.b (id) VALUES (?);\nROLLBACK;").faults, [
    `1: it has SELECT where it needs ${first}`,
    '2: a script has no character "?" here',
    `3: it has ROLLBACK where it needs ${first}`,
  ])
})
