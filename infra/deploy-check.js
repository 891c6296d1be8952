import { join } from 'node:path'

/** What the deployed poller would refuse every minute. @returns the faults, as text */
export async function environmentProblems(serverless) {
  const { pollConfig } = await import('../lib/config.ts')
  const { leaseTerms } = await import('../lib/poll/lease-terms.ts')
  const { artefactOf } = await import('./artefact.ts')
  const { findTables } = await import('./tables.ts')
  const functions = streamFunctions(serverless)
  const [{ environment }] = functions
  // CloudFormation fills in the other values later, so they cannot be checked here.
  const known = Object.entries(environment).filter(([, value]) => typeof value === 'string')
  // The deployment leaves out unknown names, so only this check can report a misspelt one.
  const given = Object.entries(process.env).filter(
    ([name]) => /^(DTS|POLL)_/.test(name) && name !== 'DTS_PASSWORD',
  )
  const artefact = artefactOf(await findTables(join(serverless.config.serviceDir, 'functions/tables')))
  let handlerTimeoutMs
  try {
    handlerTimeoutMs = pollConfig(Object.fromEntries([...given, ...known]), artefact).handlerTimeoutMs
  } catch (error) {
    if (error?.code === undefined) throw error
    return [error.message]
  }
  const { worstCaseMs, slackMs } = leaseTerms(handlerTimeoutMs)
  const needed = (worstCaseMs + slackMs) / 1000
  return functions.flatMap(({ timeout }, index) => {
    if (timeout >= needed) return []
    const key = streamKeys[index]
    return [
      `The timeout of ${key} is ${timeout} s. With a table function that may run for ${handlerTimeoutMs / 1000} s it must be ` +
        `at least ${needed} s. Otherwise it can never invoke that function. Raise custom.stream.${key}.timeout in ` +
        "serverless.yml, or lower that function's in custom.tables.",
    ]
  })
}

/** A local run has no stack. As strings, CloudFormation's values would be "[object Object]". */
export function leaveOutStackValues(serverless) {
  for (const { environment } of streamFunctions(serverless)) {
    for (const [name, value] of Object.entries(environment)) {
      if (typeof value !== 'string') delete environment[name]
    }
  }
}

const streamKeys = ['poller', 'recovery']

function streamFunctions(serverless) {
  return streamKeys.map((key) => serverless.service.getFunction(key))
}
