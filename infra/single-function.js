/** What serverless's commands for a single function need, because our functions are ES modules with roles of their own. */
import { existsSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'

/**
 * `invoke local` looks for a handler's file without an ending, and then with the ending `.cjs`. So each bundle gets a file of that
 * name beside it.
 */
export function makeInvocable(serverless) {
  const { handler } = serverless.service.getFunction(serverless.processedInput.options.function)
  // serverless-esbuild made its output folder the working directory.
  const path = join(process.cwd(), handler.replace(/\.\w+$/, ''))
  if (!existsSync(`${path}.mjs`)) return
  writeFileSync(`${path}.cjs`, `module.exports = require('./${basename(path)}.mjs')\n`)
}

/** After a failure, serverless-esbuild leaves its compiler running, and the command would never end. */
export async function endBundler(serverless) {
  for (const plugin of serverless.pluginManager.plugins) await plugin.disposeContexts?.()
}

/** `deploy function` resolves a role given by its name only. It keeps the role that the function has. */
export function keepRole(serverless) {
  const { service, processedInput } = serverless
  const { Role } = service.provider.remoteFunctionData.Configuration
  service.getFunction(processedInput.options.function).role = Role
}
