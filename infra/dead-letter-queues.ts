import { namesOf, type Stream } from './streams.ts'

interface Model {
  readonly Properties: Readonly<Record<string, unknown>>
}

/** The resources of dead-letters.yml for the stream without a name. */
export interface DeadLetterModels {
  readonly DeadLetterQueue: Model
  /** Lets only requests with TLS reach the queue. */
  readonly DeadLetterQueuePolicy: Model
}

/** The name of a stream's dead-letter queue. @param prefix of the deployment */
export function queueName(prefix: string, stream: Pick<Stream, 'source'>): string {
  return `${prefix}${namesOf(stream).prefix}dead-letters.fifo`
}

/** A queue with its policy for each stream: a redrive of one stream must not touch the letters of another. */
export function deadLetterQueues(
  { DeadLetterQueue, DeadLetterQueuePolicy }: DeadLetterModels,
  streams: readonly Pick<Stream, 'source'>[],
  prefix: string,
): Record<string, object> {
  return Object.fromEntries(
    streams.flatMap((stream) => {
      const { queueId, suffix } = namesOf(stream)
      return [
        [queueId, withProperties(DeadLetterQueue, { QueueName: queueName(prefix, stream) })],
        [`DeadLetterQueuePolicy${suffix}`, policyFor(DeadLetterQueuePolicy, queueId)],
      ]
    }),
  )
}

function policyFor(model: Model, queueId: string): object {
  const { PolicyDocument } = model.Properties as { PolicyDocument: { Statement: object[] } }
  const Statement = PolicyDocument.Statement.map((one) => ({
    ...one,
    Resource: { 'Fn::GetAtt': [queueId, 'Arn'] },
  }))
  return withProperties(model, {
    Queues: [{ Ref: queueId }],
    PolicyDocument: { ...PolicyDocument, Statement },
  })
}

function withProperties(model: Model, properties: object): object {
  return { ...model, Properties: { ...model.Properties, ...properties } }
}
