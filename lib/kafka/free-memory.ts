/**
 * Frees the memory of bytes at once. The garbage collector would free it later, and many times the function's memory
 * passes through a poller. A freed ArrayBuffer and all views on it have a length of 0, so nothing reads it by mistake.
 */
export function freeBytes({ buffer }: Buffer): void {
  // Node cuts small buffers from a shared one. Freeing that would free the others.
  if (buffer instanceof ArrayBuffer && buffer.byteLength > Buffer.poolSize) buffer.transfer(0)
}

/** The same for an array, or bytes, with an ArrayBuffer of its own. */
export function freeOwn({ buffer }: { readonly buffer: ArrayBufferLike }): void {
  if (buffer instanceof ArrayBuffer && !buffer.detached) buffer.transfer(0)
}
