import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** A declaration of the published types. */
interface Declaration {
  readonly name: string
  /** Without its docstring. */
  readonly text: string
  readonly isDocumented: boolean
}

/** What 'dts-functions' exports, as the compiler writes it for users. */
export interface PublicInterface {
  /** The exported names and everything that their declarations name, sorted. */
  readonly text: string
  /** Exported names without a docstring. */
  readonly undocumented: readonly string[]
}

/** The file that holds `text` of the last release of the interface. */
export const snapshotFile = join(root, 'test/fixtures/public-interface.txt')

export async function readPublicInterface(): Promise<PublicInterface> {
  const folder = mkdtempSync(join(tmpdir(), 'dts-functions-types-'))
  try {
    const compiler = join(root, 'node_modules/typescript/bin/tsc')
    const flags = ['-p', 'tsconfig.build.json', '--emitDeclarationOnly', '--outDir', folder]
    await promisify(execFile)(process.execPath, [compiler, ...flags], { cwd: root })
    const files = withImports(join(folder, 'lib/index.d.ts'))
    return describe(files.flatMap(declarationsOf), exportedNames(join(folder, 'lib'), 'index.d.ts'))
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** The text of a file and of all files that it imports, directly or not. */
function withImports(first: string): string[] {
  const texts = new Map<string, string>()
  const read = (file: string) => {
    if (texts.has(file)) return
    const text = readFileSync(file, 'utf8')
    texts.set(file, text)
    for (const [, path = ''] of text.matchAll(/(?:from |import\()["'](\.[^"']+)\.ts["']/g)) {
      read(join(dirname(file), `${path}.d.ts`))
    }
  }
  read(first)
  return [...texts.values()]
}

/** The names that a file exports from other files. `export *` adds all names of that file. */
function exportedNames(folder: string, file: string): string[] {
  const text = readFileSync(join(folder, file), 'utf8')
  const named = [...text.matchAll(/^export (?:type )?\{([^}]*)\}/gm)].flatMap(([, names = '']) =>
    names.split(','),
  )
  const all = [...text.matchAll(/^export \* from ['"]\.\/(.*)\.ts['"]/gm)].flatMap(([, path = '']) =>
    exportedNames(folder, `${path}.d.ts`),
  )
  return [...named.map((name) => name.replace(/^\s*type /, '').trim()), ...all].filter((name) => name !== '')
}

/** The compiler begins each declaration of a file, and the docstring above it, in the first column. */
function declarationsOf(text: string): Declaration[] {
  const declaration =
    /^(\/\*\*(?:(?!\*\/)[\s\S])*\*\/\n)?((?:export |declare )*(?:abstract )?(?:function|class|interface|type|const) (\w+)\b.*(?:\n(?![a-z/]).*)*)/gm
  return [...text.matchAll(declaration)].map(([, docstring, code = '', name = '']) => ({
    name,
    text: code.replaceAll(/^ *\/\*\*(?:(?!\*\/)[\s\S])*\*\/\n/gm, '').trimEnd(),
    isDocumented: docstring !== undefined,
  }))
}

function describe(all: readonly Declaration[], exported: readonly string[]): PublicInterface {
  const byName = Map.groupBy(all, ({ name }) => name)
  const reached = new Set<Declaration>()
  const visit = (name: string) => {
    for (const declaration of byName.get(name) ?? []) {
      if (reached.has(declaration)) continue
      reached.add(declaration)
      // The names of types have a capital. Other names are members, except after `typeof`.
      for (const [word] of declaration.text.matchAll(/\b[A-Z]\w*|(?<=\btypeof )\w+/g)) visit(word)
    }
  }
  for (const name of exported) {
    if (!byName.has(name)) throw new Error(`The declaration of ${name} was not found.`)
    visit(name)
  }
  const texts = [...reached].sort((one, other) => (one.name < other.name ? -1 : 1)).map(({ text }) => text)
  const undocumented = exported.filter((name) => !byName.get(name)?.some(({ isDocumented }) => isDocumented))
  const list = [...new Set(exported)].sort().join('\n')
  return { text: `${list}\n\n${texts.join('\n\n')}\n`, undocumented }
}
