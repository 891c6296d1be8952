import { readFileSync } from 'node:fs'
import { join } from 'node:path'

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

/** The resources of the packaged template. @param artifacts the folder given to `--package` */
export function readResources(artifacts: string): Resources {
  const text = readFileSync(join(artifacts, 'cloudformation-template-update-stack.json'), 'utf8')
  return (JSON.parse(text) as { Resources: Resources }).Resources
}
