/** Where AWS stores the password of a stream, or the key of its masks, as the variables of its poller name it. */
export interface StoredPassword {
  readonly store: 'secret' | 'parameter'
  /** Name or ARN. */
  readonly id: string
  /** The setting that names it. */
  readonly setting: string
}

const variables = { secret: 'DTS_PASSWORD_SECRET', parameter: 'DTS_PASSWORD_PARAMETER' } as const

/** Two passwords are a mistake, which the check of the environment reports. A stream without a login has none. */
export function storedPasswords(environment: Readonly<Record<string, unknown>>): StoredPassword[] {
  const { DTS_SOURCE: source, MASK_KEY_SECRET: maskKey } = environment
  const settingOf = (store: StoredPassword['store']) =>
    source === undefined ? variables[store] : `custom.sources.${source}.${store}`
  return [
    ...(['secret', 'parameter'] as const).flatMap((store) =>
      stored(store, environment[variables[store]], settingOf(store)),
    ),
    ...stored('secret', maskKey, 'MASK_KEY_SECRET'),
  ]
}

function stored(store: StoredPassword['store'], id: unknown, setting: string): StoredPassword[] {
  return typeof id === 'string' && id.trim() !== '' ? [{ store, id: id.trim(), setting }] : []
}
