import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'

/**
 * What the deployed pollers and recoveries would refuse every minute.
 * @param isDeployed false leaves out the stream without a name: `package` needs none of its variables
 * @returns the faults, as text
 */
export async function environmentProblems(serverless, isDeployed = true) {
  const entries = streamFunctions(serverless).filter((entry) => isDeployed || isNamed(entry))
  if (entries.length === 0) return []
  const artefact = await artefactFor(serverless)
  const problems = await Promise.all(entries.map((entry) => problemsOf(entry, artefact)))
  // Poller and recovery of a stream have the same settings.
  return [...new Set(problems.flat())]
}

async function problemsOf([key, { environment, timeout }], artefact) {
  const { pollConfig } = await import('../lib/config.ts')
  const { leaseTerms } = await import('../lib/poll/lease-terms.ts')
  // CloudFormation fills in the other values later, so they cannot be checked here.
  const known = Object.entries(environment).filter(([, value]) => typeof value === 'string')
  const source = environment.DTS_SOURCE
  // The settings of all pollers come from the shell, the stream of a named source does not.
  const given = shellVariables().filter(([name]) => source === undefined || name.startsWith('POLL_'))
  let handlerTimeoutMs
  try {
    handlerTimeoutMs = pollConfig(Object.fromEntries([...given, ...known]), artefact).handlerTimeoutMs
  } catch (error) {
    if (error?.code === undefined) throw error
    return [source === undefined ? error.message : `custom.sources.${source}, as variables: ${error.message}`]
  }
  const { worstCaseMs, slackMs } = leaseTerms(handlerTimeoutMs)
  const needed = (worstCaseMs + slackMs) / 1000
  if (timeout >= needed) return []
  return [
    `The timeout of ${key} is ${timeout} s. With a table function that may run for ${handlerTimeoutMs / 1000} s it must be ` +
      `at least ${needed} s. Otherwise it can never invoke that function. Raise custom.stream.${key.split('-')[0]}.timeout in ` +
      "serverless.yml, or lower that function's in custom.tables.",
  ]
}

/** A sid that another stage has too. @returns the faults, as text */
export async function groupProblems(serverless) {
  const { sidsOfOtherStages } = await import('./sources.ts')
  const streams = streamFunctions(serverless).map(([, { environment }]) => ({
    source: environment.DTS_SOURCE ?? '',
    variables: environment,
  }))
  const files = await filesOfOtherStages(serverless.config.serviceDir, serverless.service.provider.stage)
  return sidsOfOtherStages(streams, files)
}

/** Makes the service fit for a local run, which has no stack, and an emulator for one stream. */
export function prepareLocalRun(serverless) {
  // The pollers of other sources would read the real streams. functions.js gave this one the emulator's address.
  for (const [key, { environment }] of streamFunctions(serverless).filter(isNamed))
    if (environment.DTS_SOURCE !== process.env.LOCAL_SOURCE) delete serverless.service.functions[key]
  for (const [, { environment }] of streamFunctions(serverless)) {
    for (const [name, value] of Object.entries(environment)) {
      // As a string, a value of CloudFormation would be "[object Object]".
      if (typeof value !== 'string') delete environment[name]
    }
  }
}

/** The entries of all pollers and recoveries. Only they know the checkpoint table. */
export function streamFunctions({ service }) {
  return Object.entries(service.functions).filter(([, { environment }]) => environment?.CHECKPOINT_TABLE)
}

function isNamed([, { environment }]) {
  return environment.DTS_SOURCE !== undefined
}

/** The deployment leaves out unknown names, so only a check can report a misspelt one. */
function shellVariables() {
  return Object.entries(process.env).filter(
    ([name]) => /^(DTS|POLL)_/.test(name) && name !== 'DTS_PASSWORD' && name !== 'DTS_SOURCE',
  )
}

async function artefactFor({ service, config }) {
  const { artefactOf } = await import('./artefact.ts')
  const { findTables } = await import('./tables.ts')
  const names = Object.keys(service.custom?.sources ?? {})
  return artefactOf(await findTables(join(config.serviceDir, 'functions/tables'), names), ['', ...names])
}

/** Files such as .env.dev. With one of its own, a stage does not read .env, so that .env is another stage's. */
async function filesOfOtherStages(folder, stage) {
  const names = await readdir(folder)
  const own = names.includes(`.env.${stage}`) ? `.env.${stage}` : '.env'
  const others = names.filter(
    (name) => name !== own && (name === '.env' || /^\.env\.(?!example$|.*local$)[\w-]+$/.test(name)),
  )
  return Promise.all(others.map(async (name) => ({ name, text: await readFile(join(folder, name), 'utf8') })))
}
