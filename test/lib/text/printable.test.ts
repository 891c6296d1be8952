import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DtsError } from '../../../lib/errors.ts'
import { printable, printableLines, printableValue } from '../../../lib/text/printable.ts'

const obeyed: [character: string, shown: string, what: string][] = [
  ['\n', '\\u000a', 'a newline'],
  ['\r', '\\u000d', 'a carriage return, which overwrites a line'],
  ['\t', '\\u0009', 'a tabulator'],
  ['\b', '\\u0008', 'a backspace'],
  ['\0', '\\u0000', 'a zero'],
  ['\u001b', '\\u001b', 'ESC'],
  ['\u007f', '\\u007f', 'DEL'],
  ['\u0085', '\\u0085', 'NEL'],
  ['\u009b', '\\u009b', 'CSI in 8 bits'],
  ['\u009d', '\\u009d', 'OSC in 8 bits'],
  ['\u202e', '\\u202e', 'an override of the direction'],
  ['\u2066', '\\u2066', 'an isolate'],
  ['\u061c', '\\u061c', 'an Arabic mark of the direction'],
  ['\u200b', '\\u200b', 'a blank without width'],
  ['\u2028', '\\u2028', 'a line separator'],
  ['\ufeff', '\\ufeff', 'a byte order mark'],
  ['\u{e0041}', '\\udb40\\udc41', 'a tag character'],
  ['\ud83d', '\\ud83d', 'half of a pair'],
]
for (const [character, shown, what] of obeyed) {
  test(`${what} is shown as an escape`, () => {
    assert.equal(printable(`a${character}b`), `a${shown}b`)
    assert.equal(printableLines(`a${character}b`), character === '\n' ? 'a\nb' : `a${shown}b`)
  })
}

test('printable text stays unchanged', () => {
  const text = 'shop.bestellungen_äöü 订单 заказы 🛒 طلبات "x" \\u002E → …'
  assert.equal(printable(text), text)
})

test('texts and keys of a value become printable at every depth', () => {
  const value = { 'a\n': [{ 'b\u009b': 'c\u202e' }], n: 1, big: 2n, no: null, yes: true }
  assert.deepEqual(printableValue(value), {
    'a\\u000a': [{ 'b\\u009b': 'c\\u202e' }],
    n: 1,
    big: 2n,
    no: null,
    yes: true,
  })
})

test('the message of an error is printable, and keeps its own line breaks', () => {
  const { message, facts } = new DtsError('TABLE_UNROUTED', 'the table a\u001b[2J\u009bb\nis not there', {
    retryable: false,
    facts: { table: 'a\u001b' },
  })
  assert.equal(message, 'the table a\\u001b[2J\\u009bb\nis not there')
  assert.equal(facts.table, 'a\u001b')
})
