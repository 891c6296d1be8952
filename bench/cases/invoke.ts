import type { Case } from '../case.ts'
import { measureInTurn, type Variant } from '../measure.ts'
import type { Invocations } from '../programs/invoker.ts'

const count = 1_000
const sizes = [
  { title: '3 KB', bytes: 3_000 },
  { title: '50 KB', bytes: 50_000 },
]
const clients = { sdk: 'the SDK’s client', ours: 'the poller’s client' } as const
const nameOf = (client: keyof typeof clients, title: string) => `${clients[client]}, ${title}`

export const invoke: Case = {
  title: 'The cost of an invocation',
  about: `CPU of one Invoke request and its answer, four at a time over connections that stay open, in a process with the options of the
deployment. A batch of a thousand changes has about 50 KB, and one of a busy stream with many tables about 3 KB. The SDK's client resolves endpoint and
credentials, runs its chain of middleware, and signs anew for each request. The poller lets the SDK build one request, keeps what
all requests share, and signs with Node's own functions. Kernel and sockets are included, TLS is not.`,
  goals: sizes.map(({ title }) => ({ row: nameOf('ours', title), column: 'of the SDK’s', atMost: 0.5 })),
  async run({ rounds, ground: start }) {
    const ground = await start()
    const invoker = await ground.startInvoker()
    const variants = sizes.flatMap(({ title, bytes }) =>
      (['sdk', 'ours'] as const).map((client): Variant<number> => {
        const asked: Omit<Invocations, 'count'> = {
          client,
          functionName: 'json-orders_0',
          bytes,
          parallel: 4,
        }
        return { name: nameOf(client, title), measure: () => invoker.call('measure', { ...asked, count }) }
      }),
    )
    // V8 compiles the code.
    for (const { measure } of variants) for (let time = 0; time < 3; time++) await measure(0)
    const rows = await measureInTurn(variants, Math.max(rounds, 5), [
      { name: 'CPU ms', of: (sample) => sample },
      {
        name: 'of the SDK’s',
        of: (sample) => sample,
        against: (name) => name.replace(clients.ours, clients.sdk),
      },
    ])
    await invoker.stop()
    return rows
  },
}
