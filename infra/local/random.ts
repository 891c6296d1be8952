/** mulberry32: numbers from 0 to below 1, the same for the same seed on every machine. */
export function seeded(seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** The same generator as whole numbers, from 0 to below the given limit. */
export function seededWhole(seed: number): (limit: number) => number {
  const next = seeded(seed)
  return (limit) => Math.floor(next() * limit)
}
