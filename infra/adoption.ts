import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Template } from './complete-roles.ts'

/**
 * Writes what CloudFormation needs so that a new stack takes over the table and the queues of a removed one, which have fixed
 * names: a template with only these, and the list of what to import. docs/deploy.md has the commands.
 */
export function writeAdoption(folder: string, template: Template): void {
  mkdirSync(folder, { recursive: true })
  const kept = Object.entries(template).filter(
    ([id, { Type }]) =>
      id === 'CheckpointTable' || (Type === 'AWS::SQS::Queue' && id.startsWith('DeadLetterQueue')),
  )
  write(folder, 'adopt-template.json', { Resources: Object.fromEntries(kept) })
  const imports = kept.map(([id, { Type, Properties }]) => ({
    ResourceType: Type,
    LogicalResourceId: id,
    ResourceIdentifier:
      id === 'CheckpointTable' ? { TableName: Properties?.TableName } : { QueueUrl: 'QUEUE_URL' },
  }))
  write(folder, 'adopt-resources.json', imports)
}

function write(folder: string, name: string, value: object): void {
  writeFileSync(join(folder, name), `${JSON.stringify(value, null, 2)}\n`)
}
