/** Where AWS stores the password of a stream, or the key of its masks, as the variables of its poller name it. */
export interface StoredPassword {
  readonly store: 'secret' | 'parameter'
  /** Name or ARN. */
  readonly id: string
  readonly kind: 'password' | 'key'
  /** The setting that names it. */
  readonly setting: string
}

const variables = { secret: 'DTS_PASSWORD_SECRET', parameter: 'DTS_PASSWORD_PARAMETER' } as const
const keyVariables = { secret: 'MASK_KEY_SECRET', parameter: 'MASK_KEY_PARAMETER' } as const
const stores = ['secret', 'parameter'] as const

/** Two passwords are a mistake, which the check of the environment reports. A stream without a login has none. */
export function storedPasswords(environment: Readonly<Record<string, unknown>>): StoredPassword[] {
  const { DTS_SOURCE: source } = environment
  const settingOf = (store: StoredPassword['store']) =>
    source === undefined ? variables[store] : `custom.sources.${source}.${store}`
  return [
    ...stores.flatMap((store) => stored(store, environment[variables[store]], 'password', settingOf(store))),
    ...stores.flatMap((store) => stored(store, environment[keyVariables[store]], 'key', keyVariables[store])),
  ]
}

function stored(
  store: StoredPassword['store'],
  id: unknown,
  kind: StoredPassword['kind'],
  setting: string,
): StoredPassword[] {
  return typeof id === 'string' && id.trim() !== '' ? [{ store, id: id.trim(), kind, setting }] : []
}
