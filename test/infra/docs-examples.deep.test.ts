import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))

interface Example {
  /** The page and the line of its first line of code. */
  readonly place: string
  readonly code: string
}

/** Every TypeScript block of a page. */
function examplesOf(page: string): Example[] {
  const text = readFileSync(join(root, page), 'utf8')
  return [...text.matchAll(/^```(?:ts|typescript|tsx)\b.*\n([\s\S]*?)^```$/gm)].map((match) => ({
    place: `${page}:${text.slice(0, match.index).split('\n').length + 1}`,
    code: match[1] ?? '',
  }))
}

const pages = globSync(['*.md', 'docs/**/*.md', 'lib/**/README.md'], { cwd: root }).sort()
const examples = pages.flatMap(examplesOf)

/** Compiles the examples as modules of this package, with its compiler options. @returns what the compiler prints */
async function compile(written: readonly Example[]): Promise<string> {
  // Inside the package, so that 'dts-functions' is this package. The dot keeps it out of other compilations.
  const folder = mkdtempSync(join(root, 'test/.examples-'))
  try {
    const names = new Map(written.map((example, index) => [`example${index}.ts`, example]))
    for (const [name, { code }] of names) writeFileSync(join(folder, name), `${code}\nexport {}\n`)
    const options = { extends: '../../tsconfig.json', include: [], files: [...names.keys()] }
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(options))
    const printed = await new Promise<string>((resolve) => {
      const compiler = join(root, 'node_modules/typescript/bin/tsc')
      execFile(process.execPath, [compiler, '-p', folder], { cwd: root }, (_, out, err) => resolve(out + err))
    })
    return printed.replaceAll(/^\S*?(example\d+\.ts)/gm, (line, name) => names.get(name)?.place ?? line)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

test('every TypeScript example in README and docs compiles as it is', async () => {
  assert.ok(examples.length >= 4, `only ${examples.length} examples were found`)
  assert.equal(await compile(examples), '')
})

test('an example with a wrong type is reported with the page and the line where it begins', async () => {
  const wrong = {
    place: 'README.md:1',
    code: "import { defineTable } from 'dts-functions'\ndefineTable({ table: 7 })",
  }
  assert.match(await compile([wrong]), /^README\.md:1\(2,\d+\): error TS/)
})

test("examples import the library as users do, from 'dts-functions', never from a path of this repository", () => {
  for (const { place, code } of examples) {
    assert.doesNotMatch(code, /(?:from|import\()\s*['"]\.{1,2}\//, place)
  }
  for (const file of globSync('functions/tables/**/*.ts', { cwd: root })) {
    assert.doesNotMatch(readFileSync(join(root, file), 'utf8'), /from '\.{1,2}\/.*lib\//, basename(file))
  }
})
