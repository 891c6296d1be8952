import { DtsError, isDtsError } from '../lib/errors.ts'

/** Runs all checks, and then refuses with every fault that they found. */
export async function requireAll(checks: readonly (() => unknown)[]): Promise<void> {
  const faults: DtsError[] = []
  for (const check of checks) {
    try {
      await check()
    } catch (error) {
      if (!isDtsError(error)) throw error
      faults.push(...(Array.isArray(error.cause) ? error.cause : [error]))
    }
  }
  refuseAll(faults)
}

/** @throws DtsError CONFIG_INVALID if there are faults. Its cause is the list of them. */
export function refuseAll(faults: readonly DtsError[]): void {
  if (faults.length === 0) return
  const message = faults.map((fault) => fault.message).join('\n')
  throw new DtsError('CONFIG_INVALID', message, { retryable: false, cause: faults })
}
