import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { misplaced, sources } from './misplaced.ts'
import { mutants } from './mutations.ts'
import { findPlace } from './place.ts'

describe('the mutants', () => {
  test('each mutant has exactly one place in the code', () => {
    assert.deepEqual(misplaced(sources), [])
  })

  test('each mutant has a unique name, so that it can run alone', () => {
    assert.equal(new Set(mutants.map(({ name }) => name)).size, mutants.length)
  })
})

describe('the place of a piece of code', () => {
  const at = (source: string, code: string, within?: string) => {
    const { from, to } = findPlace(source, code, within)
    return source.slice(from, to)
  }

  test('does not depend on blanks, comments, quotes, semicolons and trailing commas', () => {
    const source = 'call(\n  "it’s", // why\n  /* what */ b,\n);\nnext()'
    assert.equal(at(source, "call('it’s', b)\n"), 'call(\n  "it’s", // why\n  /* what */ b,\n)')
    assert.equal(at('const o = { a: 1,\n b: 2 }', 'a: 1,\n'), 'a: 1,')
    assert.equal(at('const o = { a: 1 }', 'a: 1,'), 'a: 1')
    assert.equal(at('one(); two()', 'one()\n'), 'one()')
  })

  test('depends on the content of strings, templates and regular expressions', () => {
    for (const [source, code] of [
      ["'a b'", "'a  b'"],
      ['`a $', '`a  $'].map((text) => `${text}{\`b $\{c} //\`} d\``) as [string, string],
      ['x = /[/"\'] /.test(y)', 'x = /[/"\']/.test(y)'],
    ] as const) {
      assert.equal(at(`before ${source}\nafter`, source), source)
      assert.throws(() => at(`before ${source}\nafter`, code), /there 0 times/)
    }
  })

  test('is searched in one function, even if its types contain braces', () => {
    const source =
      'async a({ x }: { x: {} }): Promise<{ y: {} }> {\n  if (z) { go() }\n}\nb() { go() }\nc(): void { go() }'
    const { from } = findPlace(source, 'go()', 'b()')
    assert.equal(source.slice(from - 6, from), 'b() { ')
    assert.equal(findPlace(source, 'go()', 'async a(').from, source.indexOf('go()'))
    assert.throws(() => findPlace(source, 'z', 'c()'), /there 0 times: z/)
  })

  test('must exist exactly once, and so must the function that contains it', () => {
    assert.throws(() => at('a; b', 'c'), /^RangeError: there 0 times: c$/)
    assert.throws(() => at('a; a', 'a'), /^RangeError: there 2 times: a$/)
    assert.throws(() => at('a() {}', 'a', 'f('), /^RangeError: there 0 times: f\($/)
    assert.throws(() => at('f() {} f() {}', 'f', 'f('), /^RangeError: there 2 times: f\($/)
    assert.throws(() => at('a', ' // nothing'), /^RangeError: there is no code to look for$/)
  })
})
