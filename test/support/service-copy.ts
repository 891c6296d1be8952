import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type CommandResult, runNode } from './run-node.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** A copy of the service in its own folder. */
export interface ServiceCopy {
  readonly folder: string
  /** Runs serverless in the copy. Of this process's variables it sees only PATH. */
  serverless(parameters: readonly string[], environment: Record<string, string>): Promise<CommandResult>
  /** Replaces a line of the copy's serverless.yml. `$&` in `text` means the line itself. */
  configure(line: string, text: string): void
  remove(): void
}

/** serverless writes into the service's folder, so parallel runs in one folder would conflict. */
export function copyService(): ServiceCopy {
  const folder = mkdtempSync(join(tmpdir(), 'dts-functions-service-'))
  for (const part of ['serverless.yml', 'package.json', 'lib', 'functions', 'infra']) {
    cpSync(join(root, part), join(folder, part), { recursive: true })
  }
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'), 'dir')
  const program = join(root, 'node_modules/serverless/bin/serverless.js')
  return {
    folder,
    serverless: (parameters, environment) => runNode(folder, [program, ...parameters], environment),
    configure(line, text) {
      const file = join(folder, 'serverless.yml')
      const before = readFileSync(file, 'utf8')
      if (!before.includes(`${line}\n`)) throw new Error(`serverless.yml has no line ${JSON.stringify(line)}`)
      writeFileSync(file, before.replace(line, text))
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}
