/** The parts of package.json that differ between this repository and the published package. */
export interface Manifest {
  readonly exports: Readonly<Record<string, string>>
  readonly bin: Readonly<Record<string, string>>
  readonly sideEffects: readonly string[]
  readonly dependencies: Readonly<Record<string, string>>
  readonly devDependencies: Readonly<Record<string, string>>
  readonly [other: string]: unknown
}

/** A service passes objects of these packages to this one, so both must use the same copy. The service chooses its version. */
const shared = ['@aws-sdk/client-dynamodb', 'zod']
/** The published declarations name these types. */
const types = ['@types/aws-lambda']

/**
 * The package.json of the published package. Its paths lead to the compiled files, because Node runs no TypeScript below
 * node_modules. Scripts and development packages are left out.
 */
export function publishedManifest(manifest: Manifest): object {
  const { exports, bin, sideEffects, dependencies, scripts, devDependencies, allowScripts, ...rest } =
    manifest
  const all = Object.entries(dependencies)
  return {
    ...rest,
    // The user's handler files are TypeScript, which Node reads from this version on.
    engines: { node: '>=22.18' },
    exports: mapValues(exports, exported),
    bin: mapValues(bin, compiled),
    sideEffects: sideEffects.map(compiled),
    dependencies: Object.fromEntries([
      ...Object.entries(devDependencies).filter(([name]) => types.includes(name)),
      ...all.filter(([name]) => !shared.includes(name)),
    ]),
    peerDependencies: Object.fromEntries(
      all.filter(([name]) => shared.includes(name)).map(([name, version]) => [name, `^${version}`]),
    ),
  }
}

function exported(path: string): object | string {
  if (!path.endsWith('.ts')) return compiled(path)
  return { types: compiled(path).replace(/\.js$/, '.d.ts'), default: compiled(path) }
}

function compiled(path: string): string {
  return path.replace(/^\.\//, './dist/').replace(/\.ts$/, '.js')
}

function mapValues<In, Out>(values: Readonly<Record<string, In>>, map: (value: In) => Out) {
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [key, map(value)]))
}
