import { existsSync, readFileSync } from 'node:fs'

/** The name in the current folder's serverless.yml; undefined if there is no such file, or its name is not plain text. */
export function serviceOfFolder(path = 'serverless.yml'): string | undefined {
  if (!existsSync(path)) return undefined
  return /^service:\s*(["']?)([A-Za-z][A-Za-z0-9-]*)\1\s*(?:#.*)?$/m.exec(readFileSync(path, 'utf8'))?.[2]
}
