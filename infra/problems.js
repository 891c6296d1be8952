/**
 * The faults of the configuration. serverless reports an error of a variable once for each place that uses it, each time with
 * a stack trace. So the exports of functions.js keep their faults here, and the plugin reports all of them at once.
 */
const found = new Set()

/**
 * @param resolve an export of functions.js
 * @param instead its value if the configuration has a fault; no command uses it
 */
export function collecting(resolve, instead) {
  return async (serverless) => {
    try {
      return await resolve(serverless)
    } catch (error) {
      if (error?.code !== 'CONFIG_INVALID') throw error
      // Several faults at once are the cause of the error.
      for (const { message } of Array.isArray(error.cause) ? error.cause : [error]) found.add(message)
      return instead
    }
  }
}

/** Refuses a configuration with faults. @param more faults that were found later */
export function refuseProblems(serverless, more = []) {
  const all = [...new Set([...found, ...more])]
  if (all.length === 0) return
  const list = all.map((message) => `- ${message.replaceAll('\n', '\n  ')}`).join('\n')
  const count = all.length === 1 ? 'a fault' : `${all.length} faults`
  // serverless prints the stack of every error except its own.
  throw new serverless.classes.Error(
    `CONFIG_INVALID: the configuration has ${count}, so nothing is deployed.\n${list}`,
    'CONFIG_INVALID',
  )
}
