import type { Trouble } from '../../checkpoint/types.ts'

/** Whether changes wait to be tried again. Trouble without attempts only limits the batch size, which grows back. */
export function failing(trouble: Trouble | null): trouble is Trouble {
  return trouble !== null && (trouble.attempts > 0 || (trouble.outages ?? 0) > 0)
}

export function describeTrouble({ offset, attempts, since, outages = 0 }: Trouble): string {
  const tries = [
    ...(attempts > 0 ? [`failed ${attempts} time(s)`] : []),
    ...(outages > 0 ? [`could not be sent ${outages} time(s)`] : []),
  ]
  return `offset ${offset} ${tries.join(' and ')} since ${new Date(since).toISOString()}`
}
