import { DtsError } from '../errors.ts'

/**
 * Takes the name of the source out of an event. Each source has a recovery of its own, so that the name only confirms what the
 * caller means.
 * @param own the source of this recovery; empty for the unnamed stream
 * @throws DtsError CONFIG_INVALID if the event is for another source
 */
export function withoutSource(event: unknown, own: string): unknown {
  if (typeof event !== 'object' || event === null || !('source' in event)) return event
  const { source, ...rest } = event
  if (source === own && own !== '') return rest
  const mine = own === '' ? 'the stream without a name' : `the source "${own}"`
  const meant = own === '' ? 'Leave out "source", or' : `Give "source":"${own}" or none, or`
  throw new DtsError(
    'CONFIG_INVALID',
    `This function recovers ${mine}, and the event is for the source ${JSON.stringify(source)}. Nothing was done. ${meant} ` +
      'invoke the function recovery-<source> (with npm: --source).',
    { retryable: false },
  )
}
