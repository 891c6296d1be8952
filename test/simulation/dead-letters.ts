import { PutObjectCommand, type S3Client } from '@aws-sdk/client-s3'
import { SendMessageCommand, type SQSClient } from '@aws-sdk/client-sqs'
import { deadLetterQueue, deadLetterSchema, type PutAside } from '../../lib/dispatch/dead-letter.ts'
import { request, type Stage, strikes } from './hazards.ts'
import type { ObservedRun } from './observed.ts'

/** The size limit of an SQS message, in bytes. */
const messageBytes = 262_144

/** The dead-letter queue and its bucket for large records. */
export class DeadLetters {
  readonly #stage: Stage
  readonly #objects = new Set<string>()

  constructor(stage: Stage) {
    this.#stage = stage
  }

  /** Returns null if no queue is configured. */
  putAside(run: ObservedRun): PutAside | null {
    const { deadLetterQueueUrl, deadLetterBucket } = this.#stage.scenario.config
    if (deadLetterQueueUrl === undefined) return null
    const sqs = { send: (command: unknown) => this.#send(run, command) } as unknown as SQSClient
    const s3 = { send: (command: unknown) => this.#put(run, command) } as unknown as S3Client
    return deadLetterQueue({
      queueUrl: deadLetterQueueUrl,
      bucket: deadLetterBucket,
      sqs: async () => sqs,
      s3: async () => s3,
    })
  }

  async #send(run: ObservedRun, command: unknown): Promise<unknown> {
    if (!(command instanceof SendMessageCommand)) throw new TypeError('unknown command')
    const { random, facts, deliveries, scenario } = this.#stage
    const fails = strikes(this.#stage, run, scenario.rates.deadLetterFails)
    const arrives = !fails || random.chance(0.3)
    const body = command.input.MessageBody ?? ''
    const letter = deadLetterSchema.parse(JSON.parse(body))
    if (typeof letter.raw === 'string') deliveries.storesLetter(run)
    return await request(this.#stage, run, random.whole(1, 10), () => {
      if (Buffer.byteLength(body) > messageBytes) throw new Error('the message is too long')
      if (arrives) {
        if (typeof letter.raw !== 'string' && !this.#objects.has(letter.raw.key)) {
          facts.violate('I1', `the dead letter of ${letter.offset} names an object that does not exist`)
        }
        deliveries.storedDeadLetter(run, letter.functionName ?? '', BigInt(letter.offset))
      }
      if (fails) {
        facts.fault(15)
        run.disturbed = true
        throw Object.assign(new Error('Service unavailable'), { name: 'InternalError' })
      }
      return {}
    })
  }

  async #put(run: ObservedRun, command: unknown): Promise<unknown> {
    if (!(command instanceof PutObjectCommand)) throw new TypeError('unknown command')
    this.#stage.deliveries.storesLetter(run)
    return await request(this.#stage, run, this.#stage.random.whole(5, 50), () => {
      this.#objects.add(command.input.Key ?? '')
      return {}
    })
  }
}
