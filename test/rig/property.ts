const seed = Number(process.env.FUZZ_SEED ?? 20_261_123)

/**
 * Options for `fc.assert`. The seed is fixed, so that every run of the suite tests the same cases. A failure prints the
 * seed and the smallest case that fails; FUZZ_SEED chooses other cases.
 */
export function seededRuns(numRuns: number): { readonly numRuns: number; readonly seed: number } {
  return { numRuns, seed }
}
