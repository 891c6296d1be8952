import type { Template } from './complete-roles.ts'

/**
 * Encrypts what the stack stores with a key of the account: the checkpoint table, the queue and the bucket of dead letters,
 * the topic of the alarms, and the logs. A log that names a key of its own keeps it.
 */
export function encryptWith(template: Template, key: unknown): void {
  for (const [id, resource] of Object.entries(template)) {
    if (resource.Type === 'AWS::Logs::LogGroup') {
      resource.Properties = { KmsKeyId: key, ...resource.Properties }
      continue
    }
    const settings = settingsOf(id, key, resource.Type)
    if (settings === undefined) continue
    const { SqsManagedSseEnabled: _, ...properties } = resource.Properties ?? {}
    resource.Properties = { ...properties, ...settings }
  }
}

function settingsOf(id: string, key: unknown, type: string): object | undefined {
  // Each stream has a queue.
  if (type === 'AWS::SQS::Queue' && id.startsWith('DeadLetterQueue')) return { KmsMasterKeyId: key }
  switch (id) {
    case 'CheckpointTable':
      return { SSESpecification: { SSEEnabled: true, SSEType: 'KMS', KMSMasterKeyId: key } }
    case 'AlarmTopic':
      return { KmsMasterKeyId: key }
    case 'DeadLetterBucket':
      return {
        BucketEncryption: {
          ServerSideEncryptionConfiguration: [
            {
              ServerSideEncryptionByDefault: { SSEAlgorithm: 'aws:kms', KMSMasterKeyID: key },
              // One request to KMS for many objects.
              BucketKeyEnabled: true,
            },
          ],
        },
      }
    default:
      return undefined
  }
}
