/**
 * Frees the memory of bytes at once. The garbage collector would free it later, and many times the function's memory
 * passes through a poller. A freed ArrayBuffer and all views on it have a length of 0, so nothing reads it by mistake.
 *
 * The memory of large buffers (frames, decompressed record batches, batches that are sent) is kept for the next ones. V8 counts it beside its heap: if it came and went with each run, V8 would
 * take that for garbage, and each run would cost a collection of the whole heap.
 */

const KiB = 1024
/** Those of a backlog are larger. Smaller ones are quickly allocated. */
const leastKeptBytes = 1024 * KiB
/** The bound on what is kept. A poller with the usual fetch size holds about as much while it works. */
const mostKeptBytes = 8 * 1024 * KiB
/** They differ in size by up to a record batch. With rounded sizes, most fit the memory of another. */
const roundTo = 256 * KiB

const kept: ArrayBuffer[] = []
let keptBytes = 0

/** Frees the memory of bytes. With other views on the same memory, all of them end. */
export function freeBytes({ buffer }: Buffer): void {
  // Node cuts small buffers from a shared one. Freeing that would free the others.
  if (!(buffer instanceof ArrayBuffer) || buffer.byteLength <= Buffer.poolSize) return
  const { byteLength } = buffer
  const isKept = byteLength >= leastKeptBytes && keptBytes + byteLength <= mostKeptBytes
  if (!isKept) {
    buffer.transfer(0)
    return
  }
  // The same memory with a new owner: all views on the old one end.
  kept.push(buffer.transfer())
  keptBytes += byteLength
}

/** Bytes of any content, for `freeBytes` to free. */
export function allocateBytes(size: number): Buffer {
  if (size < leastKeptBytes) return Buffer.allocUnsafeSlow(size)
  const found = kept.findIndex(({ byteLength }) => byteLength >= size && byteLength < 2 * size)
  const [memory] = found < 0 ? [] : kept.splice(found, 1)
  if (memory === undefined)
    return Buffer.allocUnsafeSlow(Math.ceil(size / roundTo) * roundTo).subarray(0, size)
  keptBytes -= memory.byteLength
  return Buffer.from(memory, 0, size)
}

/** The same for an array, or bytes, with an ArrayBuffer of its own. */
export function freeOwn({ buffer }: { readonly buffer: ArrayBufferLike }): void {
  if (buffer instanceof ArrayBuffer && !buffer.detached) buffer.transfer(0)
}
