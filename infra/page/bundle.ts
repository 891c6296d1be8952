import { readFile } from 'node:fs/promises'
import { type Assets, pageAssets, pageFolder } from './assets.ts'

/** Puts the page together from its sources and from node_modules, by file name. */
export async function bundlePage(): Promise<Map<string, Buffer>> {
  // A start without a reader of the page need not wait for this.
  const { build } = await import('esbuild')
  const { outputFiles } = await build({
    entryPoints: [`${pageFolder}page.ts`, `${pageFolder}page.css`],
    outdir: pageFolder,
    bundle: true,
    format: 'esm',
    target: 'es2022',
    write: false,
    logLevel: 'silent',
  })
  const built = outputFiles.map(
    ({ path, contents }) => [path.slice(pageFolder.length), Buffer.from(contents)] as const,
  )
  return new Map([...built, ['index.html', await readFile(`${pageFolder}index.html`)]])
}

/** The page of this repository. It is put together when a browser asks for it first. */
export function bundledAssets(): Assets {
  let bundled: Promise<Map<string, Buffer>> | null = null
  return pageAssets(async (name) => {
    bundled ??= bundlePage()
    const file = (await bundled).get(name)
    if (file === undefined) throw new Error(`The page was built without ${name}.`)
    return file
  })
}
