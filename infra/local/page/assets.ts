import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'

export interface Asset {
  readonly type: string
  readonly body: string | Buffer
}

const folder = fileURLToPath(new URL('browser/', import.meta.url))
const types: Readonly<Record<string, string>> = {
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
}

/** The files of the page, by path. */
export type Assets = (path: string) => Promise<Asset | null>

/** The files come from the sources and from node_modules. They are put together when a browser asks for them first. */
export function pageAssets(): Assets {
  let bundled: Promise<Map<string, Asset>> | null = null
  return async (path) => {
    if (path === '') return { type: 'text/html; charset=utf-8', body: await readFile(`${folder}index.html`) }
    if (path !== 'page.js' && path !== 'page.css') return null
    bundled ??= bundle()
    return (await bundled).get(path) ?? null
  }
}

async function bundle(): Promise<Map<string, Asset>> {
  // Who never opens the page need not wait for this at the start.
  const { build } = await import('esbuild')
  const { outputFiles } = await build({
    entryPoints: [`${folder}page.ts`, `${folder}page.css`],
    outdir: folder,
    bundle: true,
    format: 'esm',
    target: 'es2022',
    write: false,
    logLevel: 'silent',
  })
  return new Map(
    outputFiles.map(({ path, contents }) => {
      const type = types[path.split('.').pop() ?? ''] ?? 'application/octet-stream'
      return [path.slice(folder.length), { type, body: Buffer.from(contents) }]
    }),
  )
}
