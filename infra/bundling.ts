import { fileURLToPath } from 'node:url'

/** The options of serverless-esbuild, for this repository and for each service that installs the package. */
export const bundling = {
  // A local run builds into another folder, because packaging empties this one.
  outputWorkFolder: process.env.ESBUILD_FOLDER ?? '.esbuild',
  format: 'esm',
  outputFileExtension: '.mjs',
  // CommonJS packages in the bundle call require() for Node's own modules. An ES module has no require().
  banner: {
    js: "import { createRequire as bundleRequire } from 'node:module'; const require = bundleRequire(import.meta.url);",
  },
  // These are part of Lambda's Node.js runtime; poller and recovery have some of their own (stream-bundles.ts). Other SDK
  // packages, such as the fence's marshaller, are small and bundled: their options differ between versions, and AWS chooses
  // the runtime's version.
  exclude: ['@aws-sdk/client-*'],
  // Less to load and to parse at a cold start: docs/decisions/bundles.md has the figures.
  minify: true,
  // Errors keep the names of their classes. People and dead letters tell errors apart by them.
  keepNames: true,
  // Stack traces name the lines of the source: the map is beside the bundle, and this code reads it with the first trace.
  sourcemap: true,
  sourcesContent: false,
  inject: [fileURLToPath(new URL('./source-lines.js', import.meta.url))],
  watch: {
    pattern: ['functions/**/*.ts', 'lib/**/*.ts'],
    // Many editors empty a file before they write it. A build in between would bundle a function without a handler.
    chokidar: { awaitWriteFinish: { stabilityThreshold: 100, pollInterval: 20 } },
  },
}

/** The options with the routes, as `writeArtefact` wrote them, in the code of poller and recovery. */
export function bundlingWith(routes: string): object {
  return { ...bundling, define: { DTS_ROUTES: JSON.stringify(routes) } }
}
