import { readdir, stat } from 'node:fs/promises'
import { basename, extname, join } from 'node:path'
import { DtsError } from '../lib/errors.ts'

/** A handler file in functions/tables or a folder in it. */
export interface TableFile {
  /** The key of the function in the service: the names of its folders and its own, joined by "-". */
  readonly key: string
  /** The path relative to functions/tables, with "/" between its parts. */
  readonly path: string
}

/** The ending that bundler, local stack and type check all read the same way. */
const extension = '.ts'
/** Endings of code files that a user may expect to be deployed, in lower case. */
const otherCode = new Set(['.js', '.mjs', '.cjs', '.jsx', '.mts', '.cts', '.tsx'])

/**
 * The handler files of a folder and its subfolders, sorted by key. Any other code file is an error: if a handler was not
 * deployed, its table's changes would be lost without an error.
 * @throws DtsError CONFIG_INVALID, naming the file
 */
export async function findTableFiles(folder: string): Promise<TableFile[]> {
  const files: TableFile[] = []
  await walk(folder, '', files)
  const byKey = new Map<string, TableFile>()
  for (const file of files) {
    const other = byKey.get(file.key)
    if (other !== undefined) {
      throw refused(
        `functions/tables/${other.path} and functions/tables/${file.path} would both be the function "${file.key}". ` +
          'Rename one of them.',
      )
    }
    byKey.set(file.key, file)
  }
  return files.sort((one, other) => (one.key < other.key ? -1 : 1))
}

async function walk(folder: string, path: string, files: TableFile[]): Promise<void> {
  for (const entry of await readdir(join(folder, path), { withFileTypes: true })) {
    const inner = path === '' ? entry.name : `${path}/${entry.name}`
    // A link counts as its target, as in the bundler.
    const isFolder = entry.isSymbolicLink()
      ? (await stat(join(folder, inner))).isDirectory()
      : entry.isDirectory()
    if (isFolder && entry.isSymbolicLink()) {
      throw refused(
        `functions/tables/${inner} is a link to a folder, whose handlers would not be deployed. Move it here.`,
      )
    }
    if (isFolder) await walk(folder, inner, files)
    else if (isHandler(inner)) files.push({ key: keyOf(inner), path: inner })
  }
}

function isHandler(path: string): boolean {
  const name = basename(path)
  const ending = extname(name)
  const small = ending.toLowerCase()
  if (small !== extension && !otherCode.has(small)) return false
  // A type declaration is not deployed.
  if (/\.d\.[cm]?ts$/.test(name)) return false
  if (ending === extension) return true
  const stem = name.slice(0, -ending.length)
  throw refused(
    `functions/tables/${path} would not be deployed: a handler's file ends in ".ts". Rename it to "${stem}.ts", or move it ` +
      'out of functions/tables if it is no handler.',
  )
}

function keyOf(path: string): string {
  return path.slice(0, -extension.length).replaceAll('/', '-')
}

function refused(message: string): DtsError {
  return new DtsError('CONFIG_INVALID', message, { retryable: false })
}
