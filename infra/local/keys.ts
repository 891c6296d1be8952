import { emitKeypressEvents } from 'node:readline'
import { causeFault } from './page/faults.ts'
import type { Screen } from './screen.ts'
import type { LocalStack } from './stack.ts'
import { askRecovery } from './steps.ts'

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
  const { text, steps, result, isDone, isMove } = await askRecovery(stack, event, 'live view')
  screen.note(text)
  if (result !== null) screen.offer(steps)
  // Continue after a move at once, not with the next scheduled run.
  if (isDone && isMove) void stack.invoke('poller', {}).catch(() => {})
}
