/**
 * Gives the memory of bytes back at once, which the garbage collector would do only later: what passes through a poller
 * is many times what it holds. An ArrayBuffer that was given away has a length of 0, as have all views on it, so that
 * what was freed cannot be read by mistake.
 */
export function freeBytes({ buffer }: Buffer): void {
  // Node cuts small buffers from a common one, in which others lie too.
  if (buffer instanceof ArrayBuffer && buffer.byteLength > Buffer.poolSize) buffer.transfer(0)
}

/** The same for an array, or bytes, that have an ArrayBuffer of their own. */
export function freeOwn({ buffer }: { readonly buffer: ArrayBufferLike }): void {
  if (buffer instanceof ArrayBuffer && !buffer.detached) buffer.transfer(0)
}
