/** Of an error's message, in characters. */
const maxMessageLength = 2_000

/**
 * What a function said, as an error of the poller repeats it. A function's own text may be as long as its answer:
 * the checkpoint could not store a halt with it, nor the queue a dead letter. Half a character, which either may
 * refuse, becomes U+FFFD.
 */
export function cutMessage(text: string): string {
  return text.slice(0, maxMessageLength).toWellFormed()
}
