import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'

export interface Asset {
  readonly type: string
  readonly body: string | Buffer
}

/** The files of the page, by path. Null: there is no such file. */
export type Assets = (path: string) => Promise<Asset | null>

/** The sources of the page. In the published package, its built files are there. */
export const pageFolder = fileURLToPath(new URL('browser/', import.meta.url))

const types: Readonly<Record<string, string>> = {
  'index.html': 'text/html; charset=utf-8',
  'page.js': 'text/javascript; charset=utf-8',
  'page.css': 'text/css; charset=utf-8',
}

/** @param read reads a file of the built page by its name. By default, the published package's */
export function pageAssets(
  read: (name: string) => Promise<string | Buffer> = (name) => readFile(`${pageFolder}${name}`),
): Assets {
  return async (path) => {
    const name = path === '' ? 'index.html' : path
    const type = Object.hasOwn(types, name) ? types[name] : undefined
    return type === undefined ? null : { type, body: await read(name) }
  }
}
