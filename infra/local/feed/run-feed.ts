import { DtsError } from '../../../lib/errors.ts'
import { printable } from '../../../lib/text/printable.ts'
import { type FeedCall, feedCall, usage } from './arguments.ts'
import { type Address, type FeedAnswer, readAddress } from './control.ts'
import { formOf, refuseFeed } from './feed-reader.ts'

/**
 * @param folder of the service whose local stack is meant
 * @returns the exit code
 * @throws UsageError; DtsError CHANGE_JSON_INVALID, or CONFIG_INVALID if no local stack runs
 */
export async function runFeed(
  argv: readonly string[],
  folder: string,
  say: (line: string) => void,
): Promise<number> {
  const call = feedCall(argv)
  if (call === null) {
    say(usage)
    return 0
  }
  const address = readAddress(folder)
  const { sent, offset, unhandled, faults } = address === null ? refuse() : await send(address, call)
  const [first] = faults
  if (first !== undefined) {
    if (call.file !== null) throw refuseFeed(call.file, faults)
    throw new DtsError('CHANGE_JSON_INVALID', `Nothing was sent. ${first.reason}`, { retryable: false })
  }
  say(`${sent} ${sent === 1 ? 'change is' : 'changes are'} in the local stream, from offset ${offset} on.`)
  for (const table of unhandled)
    say(`No file of functions/tables handles ${printable(table)}: it is skipped.`)
  return 0
}

async function send({ url, token }: Address, { text: body, file }: FeedCall): Promise<FeedAnswer> {
  const response = await fetch(`${url}?form=${formOf(file ?? '')}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}` },
    body,
  }).catch(refuse)
  if (!response.ok) {
    throw new DtsError(
      'CONFIG_INVALID',
      `The local stack did not take the changes (HTTP ${response.status}). Restart npm start, and send them again.`,
      { retryable: false },
    )
  }
  return (await response.json()) as FeedAnswer
}

function refuse(): never {
  throw new DtsError(
    'CONFIG_INVALID',
    'No local stack runs in this folder, so nothing was sent. Start it with npm start, and send the change again from another terminal.',
    { retryable: false },
  )
}
