import { isBuiltin } from 'node:module'
import { basename, dirname } from 'node:path'

/** The part of an esbuild plugin's `build` that is used here: services need no types of esbuild. */
export interface Build {
  readonly initialOptions: { entryPoints?: unknown; external?: string[]; mainFields?: string[] }
  onResolve(
    options: { readonly filter: RegExp },
    resolve: (found: {
      readonly path: string
      readonly importer: string
      readonly kind: string
    }) => Resolved | undefined,
  ): void
  onLoad(
    options: { readonly filter: RegExp; readonly namespace?: string },
    load: (found: { readonly path: string }) => { readonly contents: string } | undefined,
  ): void
}

interface Resolved {
  readonly path: string
  readonly external?: boolean
  readonly namespace?: string
  readonly sideEffects?: boolean
}

/** Poller and recovery, as serverless-esbuild names them: a service has the same two files. */
const streamFunction = /^(\.[\\/])?functions[\\/](poller|recovery)\.[jt]s$/

const sdkFile = /[\\/]node_modules[\\/]@(aws-sdk|smithy)[\\/]/

/** An esbuild plugin that leaves the bundles of table functions as they are. */
export const streamBundles = {
  name: 'stream-bundles',
  setup(build: Build): void {
    const { entryPoints } = build.initialOptions
    const [entry] = Array.isArray(entryPoints) ? entryPoints : []
    if (typeof entry === 'string' && streamFunction.test(entry)) startSooner(build)
  },
}

/**
 * Puts the AWS clients that a module imports with `import … from` into its bundle, without the parts that are not used. What
 * is imported with `import()` comes from Lambda's runtime: clients that a run may never need and, within the SDK, the sources
 * of credentials other than the environment. docs/decisions/bundles.md has the figures.
 */
export function startSooner(build: Build): void {
  const { external = [] } = build.initialOptions
  build.initialOptions.external = external.filter((name) => !name.startsWith('@aws-sdk/'))
  // The SDK names its ES modules, from which unused parts can be left out, only in `module`.
  build.initialOptions.mainFields = ['module', 'main']
  build.onResolve({ filter: /^@(aws-sdk|smithy)\// }, ({ path, importer, kind }) => {
    const isInRuntime = path.startsWith('@aws-sdk/client-') || sdkFile.test(importer)
    return isInRuntime && kind === 'dynamic-import' ? { path, external: true } : undefined
  })
  takeBuiltinsAsTheyAre(build)
  leaveRequestsOut(build)
}

/**
 * Node's modules without a list of their exports: to make one, `import` in an ES module reads each export, and some exports
 * load other modules when they are read. One of `node:http` loads an HTTP client that takes 25 ms.
 */
function takeBuiltinsAsTheyAre(build: Build): void {
  build.onResolve({ filter: /^(node:)?[a-z0-9_/]+$/ }, ({ path }) =>
    isBuiltin(path) ? { path, namespace: 'builtin', sideEffects: false } : undefined,
  )
  build.onLoad({ filter: /.*/, namespace: 'builtin' }, ({ path }) => ({
    contents: `module.exports = process.getBuiltinModule(${JSON.stringify(path)})`,
  }))
}

/** What lib/kafka sends, of the 33 requests that one table of kafkajs names. */
const sentRequests = new Set([
  'apiVersions',
  'fetch',
  'findCoordinator',
  'listOffsets',
  'metadata',
  'offsetCommit',
  'offsetFetch',
  'saslAuthenticate',
  'saslHandshake',
])

function leaveRequestsOut(build: Build): void {
  const filter = /[\\/]kafkajs[\\/]src[\\/]protocol[\\/]requests[\\/]\w+[\\/]index\.js$/
  build.onLoad({ filter }, ({ path }) => {
    const request = basename(dirname(path))
    if (sentRequests.has(request)) return undefined
    const message = JSON.stringify(`The bundles of poller and recovery contain no Kafka request ${request}.`)
    return { contents: `module.exports = { versions: [], protocol() { throw new Error(${message}) } }` }
  })
}
