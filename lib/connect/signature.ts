import { createHmac, createSecretKey, hash, type KeyObject } from 'node:crypto'

/** What AWS's Signature Version 4 signs. */
export interface Unsigned {
  readonly method: string
  /** As it is sent, so already encoded. Without a query. */
  readonly path: string
  /** With names in lower case, and values without blanks around them or in a row. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
}

export interface Keys {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string | undefined
}

const algorithm = 'AWS4-HMAC-SHA256'
const hmac = (key: Buffer | KeyObject, text: string) => createHmac('sha256', key).update(text)

/** Signs requests to one service in one region. docs/decisions/invoke-requests.md says why the SDK does not. */
export class Signer {
  readonly #region: string
  readonly #service: string
  /** The last signing key and what it was made of. It is the same for a whole day. */
  #last: { readonly of: string; readonly key: KeyObject } | null = null

  constructor(region: string, service: string) {
    this.#region = region
    this.#service = service
  }

  /** The headers to send: those of the request and the ones that sign it. All of them are signed. */
  sign({ method, path, headers, body }: Unsigned, keys: Keys, now: Date): Record<string, string> {
    const time = now.toISOString().replace(/[-:]|\.\d+/g, '')
    const day = time.slice(0, 8)
    const bodyHash = hash('sha256', body)
    const signed: Record<string, string> = {
      ...headers,
      'x-amz-content-sha256': bodyHash,
      'x-amz-date': time,
    }
    if (keys.sessionToken) signed['x-amz-security-token'] = keys.sessionToken
    const names = Object.keys(signed).sort()
    const list = names.join(';')
    const lines = names.map((name) => `${name}:${signed[name]}\n`).join('')
    const canonical = `${method}\n${canonicalPath(path)}\n\n${lines}\n${list}\n${bodyHash}`
    const scope = `${day}/${this.#region}/${this.#service}/aws4_request`
    const toSign = `${algorithm}\n${time}\n${scope}\n${hash('sha256', canonical)}`
    const signature = hmac(this.#key(keys.secretAccessKey, day), toSign).digest('hex')
    signed.authorization = `${algorithm} Credential=${keys.accessKeyId}/${scope}, SignedHeaders=${list}, Signature=${signature}`
    return signed
  }

  #key(secret: string, day: string): KeyObject {
    const of = `${day} ${secret}`
    if (this.#last?.of !== of) {
      const parts = [day, this.#region, this.#service, 'aws4_request']
      const first = Buffer.from(`AWS4${secret}`)
      this.#last = { of, key: createSecretKey(parts.reduce((key, part) => hmac(key, part).digest(), first)) }
    }
    return this.#last.key
  }
}

/** Every service but S3 signs the path encoded a second time, without empty segments. */
function canonicalPath(path: string): string {
  const segments = path.split('/').filter((segment) => segment !== '')
  return `/${segments.map(encodeURIComponent).join('/')}`
}
