import type { Trouble } from '../../checkpoint/types.ts'

/** What the checkpoint says of changes that fail. */

/** Whether changes wait to be tried again; a batch that was made smaller and grows back is no failure. */
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
