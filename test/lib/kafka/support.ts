export const bounds = { maxBytes: 1 << 20, maxWaitMs: 0 }

/** One record per second, from second 1000. */
export const records = (count: number, bytes = 10, from = 0) =>
  Array.from({ length: count }, (_, i) => ({
    value: Buffer.alloc(bytes, from + i),
    timestamp: 1000 + from + i,
  }))
