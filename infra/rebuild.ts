import { statSync } from 'node:fs'
import { join } from 'node:path'

/** What an esbuild result tells about its sources. */
interface BuildResult {
  readonly metafile?: { readonly inputs: Readonly<Record<string, unknown>> } | undefined
}

interface BuildContext {
  rebuild(): Promise<BuildResult>
  dispose(): Promise<void>
}

interface CachedBuild {
  readonly result: BuildResult
  context?: BuildContext | undefined
}

/** The part of serverless-esbuild's plugin that a local run needs. */
export interface Bundler {
  buildOptions: object | undefined
  /** By entry file. */
  buildCache: Readonly<Record<string, CachedBuild>>
  /** Builds all functions. */
  bundle(): Promise<void>
}

/**
 * Shortens the time from a saved file to a running function, for a local run. serverless-esbuild builds all functions after each saved
 * file. A file that is saved during a build joins that build, which may have read it already. With this, one build runs after the
 * other, and a build is only for the functions that a changed file is part of.
 * @param folder of the service: esbuild names sources relative to it
 */
export function rebuildWhatChanged(bundler: Bundler, folder: string): void {
  bundler.buildOptions = { ...bundler.buildOptions, metafile: true }
  const build = bundler.bundle
  bundler.bundle = oneAfterTheOther(async () => {
    const startedAt = Date.now()
    await build()
    for (const cached of Object.values(bundler.buildCache)) {
      const { context, result } = cached
      if (context !== undefined && !selective.has(context))
        cached.context = selectiveContext(context, result, startedAt, folder)
    }
  })
}

/** A call during a run gets the result of a run that begins after it. Several such calls share one run. */
export function oneAfterTheOther(run: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | null = null
  let next: Promise<void> | null = null
  const start = (): Promise<void> => {
    next = null
    running = run().finally(() => {
      running = null
    })
    return running
  }
  return () => {
    if (running === null) return next ?? start()
    next ??= running.catch(() => {}).then(start)
    return next
  }
}

/** A file system's clock can be this far behind, in milliseconds. */
const clockStepMs = 20

const selective = new WeakSet<BuildContext>()

function selectiveContext(context: BuildContext, first: BuildResult, startedAt: number, folder: string) {
  let result = first
  let stamps = stampsOf(first, startedAt, folder)
  const wrapped: BuildContext = {
    async rebuild() {
      const now = Date.now()
      if (stamps !== null && stampsOf(result, now, folder) === stamps) return result
      stamps = null
      result = await context.rebuild()
      stamps = stampsOf(result, now, folder)
      return result
    },
    dispose: () => context.dispose(),
  }
  selective.add(wrapped)
  return wrapped
}

/**
 * When the sources of a build were changed. Packages do not change during a run.
 * @param startedAt of the build, in milliseconds since 1970
 * @returns null if a source was changed since: the build may have read it before that
 */
function stampsOf({ metafile }: BuildResult, startedAt: number, folder: string): string | null {
  if (metafile === undefined) return null
  const sources = Object.keys(metafile.inputs).filter((path) => !path.includes('node_modules/'))
  const stamps: string[] = []
  for (const path of sources) {
    const found = statSync(join(folder, path), { throwIfNoEntry: false })
    if (found !== undefined && found.mtimeMs >= startedAt - clockStepMs) return null
    stamps.push(found === undefined ? 'missing' : `${found.mtimeMs} ${found.size}`)
  }
  return stamps.join()
}
