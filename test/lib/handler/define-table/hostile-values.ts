/** Values that break code which reads a caught value like an ordinary error. */

interface HostileValue {
  readonly reason: string
  readonly make: () => unknown
  /** The log line must match this. */
  readonly says: RegExp
}

export function revokedProxy(): unknown {
  const { proxy, revoke } = Proxy.revocable(new Error('target of a proxy'), {})
  revoke()
  return proxy
}

const refuse = (): never => {
  throw new TypeError('not to be read')
}

function withGetter(key: string): Error {
  return Object.defineProperty(new Error('still readable'), key, { get: refuse, enumerable: true })
}

export const hostileValues: readonly HostileValue[] = [
  {
    reason: 'an error that is its own cause',
    make: () => {
      const error = new RangeError('round and round')
      error.cause = error
      return error
    },
    says: /RangeError.*round and round/,
  },
  {
    reason: 'two errors that are the cause of each other',
    make: () => {
      const [first, second] = [new Error('first'), new Error('second')]
      first.cause = second
      second.cause = first
      return first
    },
    says: /first.*second/,
  },
  {
    reason: 'an object without a prototype',
    make: () => Object.assign(Object.create(null), { sku: 'A-1' }),
    says: /A-1/,
  },
  { reason: 'a plain object', make: () => ({ status: 503, body: { retry: true } }), says: /503.*retry/ },
  {
    reason: 'an error without a name',
    make: () => Object.assign(new Error('nameless'), { name: undefined }),
    says: /"Error".*nameless/,
  },
  {
    reason: 'an error whose message is not a text',
    make: () => Object.assign(new Error('replaced'), { message: { toString: refuse } }),
    says: /without a readable message/,
  },
  {
    reason: 'a getter of the message that throws',
    make: () => withGetter('message'),
    says: /without a readable message/,
  },
  { reason: 'a getter of the name that throws', make: () => withGetter('name'), says: /still readable/ },
  {
    reason: 'a getter of the stack that throws',
    make: () => withGetter('stack'),
    says: /still readable/,
  },
  {
    reason: 'a getter of the cause that throws',
    make: () => withGetter('cause'),
    says: /still readable/,
  },
  {
    reason: 'a getter of another property that throws',
    make: () => withGetter('detail'),
    says: /still readable/,
  },
  {
    reason: 'a toJSON that throws',
    make: () => Object.assign(new Error('not as JSON'), { toJSON: refuse }),
    says: /not as JSON/,
  },
  {
    reason: 'an error that holds itself',
    make: () => {
      const error = new Error('holds itself')
      return Object.assign(error, { request: { error } })
    },
    says: /holds itself/,
  },
  {
    reason: 'an error that holds a bigint',
    make: () => Object.assign(new Error('big'), { at: 7n }),
    says: /7n/,
  },
  {
    reason: 'a proxy all of whose traps throw',
    make: () =>
      new Proxy(new Error('target of a proxy'), {
        get: refuse,
        has: refuse,
        ownKeys: refuse,
        getPrototypeOf: refuse,
        getOwnPropertyDescriptor: refuse,
      }),
    says: /target of a proxy/,
  },
  { reason: 'a proxy that was revoked', make: revokedProxy, says: /[Rr]evoked/ },
  { reason: 'a frozen error', make: () => Object.freeze(new Error('frozen')), says: /frozen/ },
  {
    reason: 'causes a thousand deep',
    make: () => {
      let error = new Error('the deepest')
      for (let depth = 0; depth < 1_000; depth++) error = new Error(`at ${depth}`, { cause: error })
      return error
    },
    says: /at 999.*at 998/,
  },
  { reason: 'a symbol', make: () => Symbol('by itself'), says: /Symbol\(by itself\)/ },
  { reason: 'a function', make: () => function notAnError() {}, says: /notAnError/ },
  { reason: 'a bigint', make: () => 12n, says: /bigint.*12/ },
  { reason: 'null', make: () => null, says: /null/ },
  { reason: 'undefined', make: () => undefined, says: /undefined/ },
  {
    reason: 'a custom print that throws',
    make: () => ({
      [Symbol.for('nodejs.util.inspect.custom')]: refuse,
      [Symbol.toPrimitive]: refuse,
      sku: 'A-1',
    }),
    says: /A-1/,
  },
  {
    reason: 'a class whose name and tag throw',
    make: () => {
      class Odd {
        get [Symbol.toStringTag](): string {
          return refuse()
        }
      }
      return new Odd()
    },
    says: /object/,
  },
]
