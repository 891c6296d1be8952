import * as z from '../schema.ts'
import type { HttpAnswer } from './http-connections.ts'

/** Lambda answered with an error of its own. Name and message are Lambda's. */
export class LambdaRefusal extends Error {
  /** As the SDK's errors have it. */
  readonly $metadata: { readonly httpStatusCode: number; readonly requestId: string | undefined }
  /** Which limit was reached, for example the concurrency that is reserved for the function. */
  readonly Reason?: string

  constructor({ status, headers, body }: HttpAnswer) {
    const { message, Message, code, __type, Reason } = readBody(body)
    super(message ?? Message ?? 'UnknownError')
    this.name = typeName(headers['x-amzn-errortype']?.toString() ?? code ?? __type ?? '')
    this.$metadata = { httpStatusCode: status, requestId: headers['x-amzn-requestid']?.toString() }
    if (Reason !== undefined) this.Reason = Reason
  }
}

/** A service may write a namespace before the type, and an address after it. */
function typeName(type: string): string {
  const [beforeAddress = ''] = type.split(/[:,]/)
  return beforeAddress.split('#').at(-1) || 'Unknown'
}

const text = z.catch(z.optional(z.string()), undefined)
const refusal = z.object({ message: text, Message: text, code: text, __type: text, Reason: text })

/** A proxy on the way may answer with a page in place of JSON. */
function readBody(body: Buffer): z.infer<typeof refusal> {
  try {
    return refusal.parse(JSON.parse(body.toString('utf8')))
  } catch {
    return {}
  }
}
