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
  // These are part of Lambda's Node.js runtime. Other SDK packages, such as the fence's marshaller, are small and bundled:
  // their options differ between versions, and AWS chooses the runtime's version.
  exclude: ['@aws-sdk/client-*'],
  // Stack traces stay readable. The bundles are small anyway.
  minify: false,
  watch: { pattern: ['functions/**/*.ts', 'lib/**/*.ts'] },
}

/** The options with the routes, as `writeArtefact` wrote them, in the code of poller and recovery. */
export function bundlingWith(routes: string): object {
  return { ...bundling, define: { DTS_ROUTES: JSON.stringify(routes) } }
}
