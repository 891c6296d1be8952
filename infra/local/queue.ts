/**
 * SQS for the dead letters of the local stack: FIFO queues in memory, with the requests that the product makes. Messages are lost when
 * the process ends.
 */
import { createHash, randomBytes, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import * as z from 'zod'
import type { AwsEndpoint } from './dynalite.ts'

/** In milliseconds, as in SQS. */
const deduplicationMs = 300_000

interface Message {
  readonly id: string
  readonly group: string
  readonly body: string
  /** Of the last receiver; null before the first. */
  receipt: string | null
  /** No receiver gets it before this time. */
  visibleAt: number
}

const addressed = z.object({ QueueUrl: z.string() })
const requests = {
  SendMessage: z.object({
    MessageBody: z.string(),
    MessageGroupId: z.string(),
    MessageDeduplicationId: z.string(),
  }),
  ReceiveMessage: z.object({
    MaxNumberOfMessages: z.int().min(1).max(10).default(1),
    VisibilityTimeout: z.int().min(0).default(30),
  }),
  DeleteMessage: z.object({ ReceiptHandle: z.string() }),
  ChangeMessageVisibility: z.object({ ReceiptHandle: z.string(), VisibilityTimeout: z.int().min(0) }),
  GetQueueAttributes: z.object({}),
}

/** The state of the queue. Every method takes the time in milliseconds. */
class Queue {
  #messages: Message[] = []
  /** By deduplication id, also of messages that were deleted. */
  readonly #sent = new Map<string, { readonly id: string; readonly at: number }>()

  get messages(): readonly Message[] {
    return this.#messages
  }

  send(sent: z.output<typeof requests.SendMessage>, now: number) {
    const { MessageBody: body, MessageGroupId: group, MessageDeduplicationId: deduplication } = sent
    const before = this.#sent.get(deduplication)
    const isRepeated = before !== undefined && now - before.at < deduplicationMs
    const id = isRepeated ? before.id : randomUUID()
    if (!isRepeated) {
      this.#sent.set(deduplication, { id, at: now })
      this.#messages.push({ id, group, body, receipt: null, visibleAt: 0 })
    }
    return { MessageId: id, MD5OfMessageBody: md5(body) }
  }

  /** While a message of a group is with a receiver, the queue hands out no other one of that group. */
  receive({ MaxNumberOfMessages, VisibilityTimeout }: z.output<typeof requests.ReceiveMessage>, now: number) {
    const taken = new Set(this.#messages.filter(({ visibleAt }) => visibleAt > now).map(({ group }) => group))
    const given = this.#messages.filter(({ group }) => !taken.has(group)).slice(0, MaxNumberOfMessages)
    for (const message of given) {
      message.receipt = randomUUID()
      message.visibleAt = now + VisibilityTimeout * 1_000
    }
    const Messages = given.map(({ id, body, receipt }) => ({
      MessageId: id,
      ReceiptHandle: receipt,
      Body: body,
      MD5OfBody: md5(body),
    }))
    return { Messages }
  }

  delete({ ReceiptHandle }: z.output<typeof requests.DeleteMessage>) {
    this.#messages = this.#messages.filter(({ receipt }) => receipt !== ReceiptHandle)
    return {}
  }

  /** @returns null if no message has this receipt */
  changeVisibility(
    { ReceiptHandle, VisibilityTimeout }: z.output<typeof requests.ChangeMessageVisibility>,
    now: number,
  ) {
    const message = this.#messages.find(({ receipt }) => receipt === ReceiptHandle)
    if (message === undefined) return null
    message.visibleAt = now + VisibilityTimeout * 1_000
    return {}
  }

  attributes(now: number) {
    const waiting = this.#messages.filter(({ visibleAt }) => visibleAt <= now)
    return { Attributes: { ApproximateNumberOfMessages: String(waiting.length) } }
  }
}

/** The service. Every name is a queue, empty until the first message. */
export interface LocalQueues extends AwsEndpoint {
  url(name: string): string
  /** All messages of a queue, oldest first, also those that a receiver has. */
  messages(name: string): readonly { readonly id: string; readonly body: string }[]
}

/** @param now the time, in milliseconds since 1970 */
export async function startQueues(now: () => number = Date.now): Promise<LocalQueues> {
  const queues = new Map<string, Queue>()
  // In the place of an account: only who was told the URL of a queue can use it.
  const token = randomBytes(18).toString('base64url')
  const server = createServer((request, response) => {
    const reason = refusal(request, new URL(endpoint).host)
    if (reason !== null) {
      response.writeHead(403, { connection: 'close' }).end(reason)
      return
    }
    void answer(request, response, queues, url(''), now()).catch((error: Error) =>
      refuse(response, 'InvalidParameterValue', error.message),
    )
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('The queue has no TCP address.')
  const endpoint = `http://127.0.0.1:${address.port}`
  const url = (name: string) => `${endpoint}/${token}/${name}`
  return {
    endpoint,
    url,
    messages: (name) => queues.get(url(name))?.messages ?? [],
    async stop() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}

/** Another site can send requests through the person's browser, also under a name of its own that resolves to 127.0.0.1. */
function refusal({ headers }: IncomingMessage, host: string): string | null {
  if (headers.host !== host) return 'The Host is not this queue.'
  if (headers.origin !== undefined || headers['sec-fetch-site'] !== undefined)
    return 'The request comes from a browser.'
  return null
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  queues: Map<string, Queue>,
  ownUrls: string,
  now: number,
): Promise<void> {
  const action = String(request.headers['x-amz-target']).replace('AmazonSQS.', '')
  const body: unknown = JSON.parse(Buffer.concat(await request.toArray()).toString('utf8'))
  const { QueueUrl: url } = addressed.parse(body)
  if (!url.startsWith(ownUrls)) {
    refuse(response, 'QueueDoesNotExist', 'The local stack has no queue with this URL.')
    return
  }
  const queue = queues.get(url) ?? new Queue()
  queues.set(url, queue)
  const result = act(action, body, queue, now)
  if (result === undefined) refuse(response, 'InvalidAction', `The local queue has no action ${action}.`)
  else if (result === null) refuse(response, 'ReceiptHandleIsInvalid', 'No message has this receipt.')
  else response.writeHead(200, { 'content-type': 'application/x-amz-json-1.0' }).end(JSON.stringify(result))
}

/** Undefined: there is no such action. */
function act(action: string, body: unknown, queue: Queue, now: number): object | null | undefined {
  switch (action) {
    case 'SendMessage':
      return queue.send(requests.SendMessage.parse(body), now)
    case 'ReceiveMessage':
      return queue.receive(requests.ReceiveMessage.parse(body), now)
    case 'DeleteMessage':
      return queue.delete(requests.DeleteMessage.parse(body))
    case 'ChangeMessageVisibility':
      return queue.changeVisibility(requests.ChangeMessageVisibility.parse(body), now)
    case 'GetQueueAttributes':
      return queue.attributes(now)
    default:
      return undefined
  }
}

function refuse(response: ServerResponse, type: string, message: string): void {
  response
    .writeHead(400, { 'content-type': 'application/x-amz-json-1.0' })
    .end(JSON.stringify({ __type: `com.amazonaws.sqs#${type}`, message }))
}

function md5(text: string): string {
  return createHash('md5').update(text).digest('hex')
}
