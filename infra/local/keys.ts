import { emitKeypressEvents } from 'node:readline'
import { causeFault } from './page/faults.ts'
import type { Screen } from './screen.ts'
import type { Answer, LocalStack } from './stack.ts'
import { readAnswer } from './steps.ts'

/**
 * The keys of the live view.
 * @returns a function that ends the reading
 */
export function readKeys(stack: LocalStack, screen: Screen, quit: () => void): () => void {
  const { stdin } = process
  if (!stdin.isTTY) return () => {}
  emitKeypressEvents(stdin)
  stdin.setRawMode(true)
  const onKey = (text: string | undefined, key: { name?: string; ctrl?: boolean }) => {
    if (key.name === 'q' || (key.ctrl && key.name === 'c')) quit()
    else if (key.name === 'c') void causeFault(stack.dstore, 'cluster').then((text) => screen.note(text))
    else if (key.name === 'i') void ask(stack, { action: 'inspect' }, screen)
    else if (key.name === 'r') void ask(stack, { action: 'reset' }, screen)
    else takeStep(stack, screen, Number(text))
  }
  stdin.on('keypress', onKey)
  return () => {
    stdin.off('keypress', onKey)
    stdin.setRawMode(false)
    stdin.pause()
  }
}

function takeStep(stack: LocalStack, screen: Screen, number: number): void {
  const event = screen.step(number)?.event
  if (event !== undefined && event !== null) void ask(stack, event, screen)
}

/** Lets recovery answer, and shows the answer with the steps that it recommends. */
export async function ask(
  stack: Pick<LocalStack, 'invoke'>,
  event: { readonly action: string },
  screen: Screen,
): Promise<void> {
  const isMove = event.action !== 'inspect' && event.action !== 'doctor'
  const request = { ...event, ...(isMove ? { by: 'live view' } : {}), reply: 'data' }
  const answer = await stack.invoke('recovery', request).catch(
    (error: Error): Answer => ({
      ok: false,
      code: error.name,
      message: error.message,
    }),
  )
  if (!answer.ok) {
    screen.note(`${answer.code}: ${answer.message}`)
    return
  }
  const { text, steps } = readAnswer(answer.result)
  screen.note(text)
  screen.offer(steps)
  // Continue after a move at once, not with the next scheduled run.
  if (isMove) void stack.invoke('poller', {}).catch(() => {})
}
