import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'

/** Calls between the bench and the processes that it starts, over the channel of `fork`. */

/** The calls that a process answers. */
export type Answers = Record<string, (argument: never) => unknown>

type Argument<Method> = Method extends (argument: infer Given) => unknown ? Given : never
type Answer<Method> = Method extends (argument: never) => infer Given ? Awaited<Given> : never

interface Request {
  readonly call: string
  readonly argument: unknown
}
type Reply = { readonly answer: unknown } | { readonly error: string }

/**
 * In a started process: answers the calls of its parent, one after the other, and ends with it.
 * @param first a call that the process makes itself at its start, and whose answer it sends like any other
 */
export function answerCalls(answers: Answers, first?: Request): void {
  let last = Promise.resolve()
  const answer = ({ call, argument }: Request) => {
    last = last.then(async () => {
      const reply: Reply = await Promise.try(() => answers[call]?.(argument as never)).then(
        (answered) => ({ answer: answered }),
        (error: unknown) => ({ error: error instanceof Error ? (error.stack ?? error.message) : `${error}` }),
      )
      // The bench may have been interrupted in the meantime.
      if (process.connected) process.send?.(reply)
    })
  }
  process.on('message', answer)
  process.on('disconnect', () => process.exit())
  if (first !== undefined) answer(first)
}

interface StartOptions {
  readonly env?: NodeJS.ProcessEnv
  readonly flags?: readonly string[]
}

/** A started process. Calls it one at a time. */
export class Caller<Given extends Answers> {
  readonly #child: ChildProcess
  readonly #name: string

  constructor(file: string, { env = process.env, flags = [] }: StartOptions = {}) {
    this.#name = file
    this.#child = fork(file, {
      env,
      execArgv: [...flags],
      serialization: 'advanced',
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    })
  }

  async call<Name extends keyof Given & string>(
    call: Name,
    argument: Argument<Given[Name]>,
  ): Promise<Answer<Given[Name]>> {
    this.#child.send({ call, argument } satisfies Request)
    const reply = await this.next()
    return reply as Answer<Given[Name]>
  }

  /** The next thing that the process says. @throws Error if it ends before, or reports an error */
  async next(): Promise<unknown> {
    const ended = new AbortController()
    const reply = await Promise.race([
      once(this.#child, 'message', { signal: ended.signal }).then(([message]) => message as Reply),
      once(this.#child, 'exit', { signal: ended.signal }).then(([code, signal]) => ({
        error: `${this.#name} ended with ${signal ?? code}.`,
      })),
    ])
    ended.abort()
    if ('error' in reply) throw new Error(reply.error)
    return reply.answer
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const ended = once(this.#child, 'exit')
    this.#child.disconnect()
    await ended
  }
}
