/**
 * Part of every bundle: stack traces name the lines of the source. The bundles are minified, and each has its map beside it.
 * The map is read with the first stack trace that is asked for. Node's own `--enable-source-maps` reads it at each start.
 */
const bundle = import.meta.url

/** Undefined until the first stack trace; null without a readable map. */
let map

function readMap() {
  try {
    // Imports would be evaluated at each start.
    const { readFileSync } = process.getBuiltinModule('node:fs')
    const { SourceMap } = process.getBuiltinModule('node:module')
    const { fileURLToPath } = process.getBuiltinModule('node:url')
    return new SourceMap(JSON.parse(readFileSync(`${fileURLToPath(bundle)}.map`, 'utf8')))
  } catch {
    return null
  }
}

/** A line of a stack trace, without indentation. */
function lineOf(site) {
  const shown = String(site)
  if (site.getFileName() !== bundle) return shown
  map ??= readMap()
  const origin = map?.findOrigin(site.getLineNumber(), site.getColumnNumber())
  if (origin?.fileName === undefined) return shown
  // The map's paths lead from the folder of the build to that of the service.
  const place = `${origin.fileName.replace(/^(\.\.\/)+/, '')}:${origin.lineNumber}:${origin.columnNumber}`
  const inBundle = `${bundle}:${site.getLineNumber()}:${site.getColumnNumber()}`
  return shown.replace(inBundle, () => place)
}

function headOf(error) {
  try {
    return Error.prototype.toString.call(error)
  } catch {
    // An error's name or message can be a getter that throws. A stack trace must not throw.
    return 'Error'
  }
}

Error.prepareStackTrace = (error, sites) =>
  [headOf(error), ...sites.map((site) => `    at ${lineOf(site)}`)].join('\n')
