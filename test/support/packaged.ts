import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { runInNewContext } from 'node:vm'
import { strFromU8, unzipSync } from 'fflate'

/** A resource of the packaged CloudFormation template. */
export interface Resource {
  readonly Type: string
  readonly DeletionPolicy?: string
  readonly Properties: Record<string, unknown>
}
export type Resources = Record<string, Resource>

/** The variables of a shell that packages the service. */
export const given = {
  DTS_BROKER_URL: 'dts.example.com:18001',
  DTS_TOPIC: 'cn_shop',
  DTS_SID: 'dtssid',
  DTS_USER: 'reader',
  DTS_PASSWORD: 'canary-password',
  DTS_PASSWORD_SECRET: 'shop/dts',
  DTS_CHECKPOINT: '1700000000',
  ON_CLUSTER_CHANGE: 'recover',
  ALARM_EMAIL: 'night@example.com',
  // Refuses every connection: a command that asks AWS for anything fails.
  AWS_ENDPOINT_URL: 'http://127.0.0.1:9',
}

/** The variables of a shell that deploys the service to an emulator of AWS. */
export function deployingTo(
  endpoint: string,
  credentials: { readonly accessKeyId: string; readonly secretAccessKey: string },
): Record<string, string> {
  const { DTS_BROKER_URL, DTS_TOPIC, DTS_SID, DTS_USER, DTS_PASSWORD_SECRET, ALARM_EMAIL } = given
  return {
    DTS_BROKER_URL,
    DTS_TOPIC,
    DTS_SID,
    DTS_USER,
    DTS_PASSWORD_SECRET,
    ALARM_EMAIL,
    AWS_ENDPOINT_URL: endpoint,
    AWS_ACCESS_KEY_ID: credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
  }
}

/** The resources of the packaged template. @param artifacts the folder given to `--package` */
export function readResources(artifacts: string): Resources {
  const text = readFileSync(join(artifacts, 'cloudformation-template-update-stack.json'), 'utf8')
  return (JSON.parse(text) as { Resources: Resources }).Resources
}

/** The code of a function's bundle, and the files of the service that it contains. @param key the function's, such as `poller` */
export function readBundle(artifacts: string, key: string): { code: string; sources: string[] } {
  const files = Object.entries(unzip(artifacts, `${key}.zip`))
  const [, code = ''] = files.find(([path]) => path.endsWith('.mjs')) ?? []
  const [, map = ''] = files.find(([path]) => path.endsWith('.map')) ?? []
  const { sources } = JSON.parse(map) as { sources: string[] }
  return { code, sources: sources.map((source) => source.replace(/^(\.\.\/)+/, '')) }
}

/** The texts of a packaged file, by their paths. */
export function unzip(artifacts: string, file: string): Record<string, string> {
  const entries = Object.entries(unzipSync(readFileSync(join(artifacts, file))))
  return Object.fromEntries(entries.map(([name, bytes]) => [name, strFromU8(bytes)]))
}

/** The routes in the code of a packaged function, as `writeArtefact` wrote them. @param key the function's, such as `poller` */
export function readRoutes(artifacts: string, key: string): string | undefined {
  const literal = /(['"`])\{\\?"version\\?":1,\\?"digest[\s\S]*?\}\1/.exec(
    readBundle(artifacts, key).code,
  )?.[0]
  return literal === undefined ? undefined : runInNewContext(literal)
}
