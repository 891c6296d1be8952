/** Where AWS stores the password of a stream, as the variables of its poller name it. */
export interface StoredPassword {
  readonly store: 'secret' | 'parameter'
  /** Name or ARN. */
  readonly id: string
  /** The setting that names it. */
  readonly setting: string
}

const variables = { secret: 'DTS_PASSWORD_SECRET', parameter: 'DTS_PASSWORD_PARAMETER' } as const

/** None if the stream needs no login. Two are a mistake, which the check of the environment reports. */
export function storedPasswords(environment: Readonly<Record<string, unknown>>): StoredPassword[] {
  const { DTS_SOURCE: source } = environment
  return (['secret', 'parameter'] as const).flatMap((store) => {
    const id = environment[variables[store]]
    if (typeof id !== 'string' || id.trim() === '') return []
    const setting = source === undefined ? variables[store] : `custom.sources.${source}.${store}`
    return [{ store, id: id.trim(), setting }]
  })
}
