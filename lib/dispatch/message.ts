/** The longest message that is kept, in characters. */
const maxMessageLength = 2_000

/**
 * Shortens a function's message. A function's text can be as long as its answer: then neither the checkpoint could store
 * the halt nor the queue the dead letter. Half a surrogate pair, which both may refuse, becomes U+FFFD.
 */
export function cutMessage(text: string): string {
  return text.slice(0, maxMessageLength).toWellFormed()
}
