import { readArguments, UsageError } from '../../operate/report.ts'
import { asFlags, type StreamCall, streamCall, streamOptions } from '../../operate/stream-flags.ts'
import { type Place, place } from '../../operate/tail/arguments.ts'
import { pagePortOf, pagePortOption } from '../page-port.ts'

export interface MirrorCall extends StreamCall {
  readonly from: Place
  /** 0: a free one. */
  readonly pagePort: number
}

const text = { type: 'string' } as const

/** The flags beside `--dts`: those of tail that choose the stream and where to begin, and the port of the page. @throws UsageError */
export function mirrorCall(argv: readonly string[]): MirrorCall {
  const { values } = readArguments({
    args: asFlags(argv),
    options: { ...streamOptions, ...pagePortOption, from: text, 'from-offset': text, checkpoint: text },
  })
  if (values.from !== undefined && values.checkpoint !== undefined)
    throw new UsageError('--checkpoint and --from are both places to start: keep one.')
  const from = place('from', values.from ?? values.checkpoint, values['from-offset']) ?? { kind: 'latest' }
  return { ...streamCall(values), from, pagePort: pagePortOf(values['page-port']) }
}
