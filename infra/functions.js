/**
 * The values that serverless.yml reads from code: in this repository, and in a service that installs the package.
 * serverless loads only JavaScript with `${file(…)}`, so this file imports the TypeScript. serverless calls each exported
 * function with its variable resolver.
 */
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { collecting } from './problems.js'

// serverless starts in the folder of serverless.yml.
const serviceFolder = process.cwd()
const tablesFolder = join(serviceFolder, 'functions/tables')

/** The options of serverless-esbuild. */
export const esbuild = collecting(async () => {
  const { artefactOf, bundlingWith, findTables } = await typescript()
  return bundlingWith(artefactOf(await findTables(tablesFolder)))
}, {})

/** Poller and recovery, as entries of `functions:` in serverless.yml. */
export const streamFunctions = collecting(async (serverless) => {
  const { findTables, streamEnvironment, streamFunctions: entries } = await typescript()
  const known = await settings(serverless)
  return entries(streamEnvironment(process.env, await findTables(tablesFolder), known), known)
}, {})

/** The functions of functions/tables, as entries of `functions:` in serverless.yml. */
export const tables = collecting(async (serverless) => {
  const { findTables, tableFunctions } = await typescript()
  return tableFunctions(await findTables(tablesFolder), await settings(serverless))
}, {})

/** Everything else in the stack: checkpoint table, dead letters, roles, alarms, dashboard. For `resources:`. */
export const resources = collecting(async (serverless) => {
  const { findTables, parseAccount, requireAll, rolesOf, streamStatements, tableFunctions } =
    await typescript()
  const known = await settings(serverless)
  // Each part reports its first fault. A person wants to see all of them at once.
  let found = null
  await requireAll([
    async () => {
      found = await findTables(tablesFolder)
    },
    () => parseAccount(known.account),
    () => streamStatements(known),
    () => monitoring(serverless, known, []),
    () => found && tableFunctions(found, known),
  ])
  return {
    Resources: {
      ...(await included(serverless, 'checkpoint-table.yml')),
      ...(await included(serverless, 'dead-letters.yml')),
      ...rolesOf(found, known),
      ...(await monitoring(serverless, known, found)),
    },
    Outputs: {
      CheckpointTable: { Value: { Ref: 'CheckpointTable' } },
      DeadLetterQueue: { Value: { Ref: 'DeadLetterQueue' } },
    },
  }
}, {})

async function monitoring({ resolveVariable }, { prefix, deadLetterQueue }, found) {
  const { alarmsOf, dashboardOf } = await typescript()
  const alarms = alarmsOf({
    prefix,
    deadLetterQueue,
    thresholds: (await resolveVariable('self:custom.alarms, null')) ?? {},
    topicArn: (process.env.ALARM_TOPIC_ARN ?? '').trim(),
    email: (process.env.ALARM_EMAIL ?? '').trim(),
  })
  const tables = found.map(({ key }) => key)
  return { ...alarms, Dashboard: dashboardOf({ prefix, deadLetterQueue, tables }) }
}

/** A file of this folder, with its variables resolved. */
async function included({ resolveVariable }, name) {
  const path = relative(serviceFolder, fileURLToPath(new URL(name, import.meta.url)))
  return resolveVariable(`file(${path})`)
}

async function settings({ resolveVariable }) {
  const service = await resolveVariable('self:service')
  const stage = await resolveVariable('sls:stage')
  const prefix = `${service}-${stage}-`
  return {
    prefix,
    flags: `--stage ${stage} --region ${await resolveVariable('self:provider.region')}`,
    service,
    stage,
    checkpointTable: `${prefix}checkpoint`,
    deadLetterQueue: `${prefix}dead-letters.fifo`,
    secret: process.env.DTS_PASSWORD_SECRET ?? '',
    tables: (await resolveVariable('self:custom.tables, null')) ?? {},
    stream: (await resolveVariable('self:custom.stream, null')) ?? {},
    account: (await resolveVariable('self:custom.account, null')) ?? {},
  }
}

/** The parts that are TypeScript: JavaScript in the published package, but handler files stay TypeScript in each service. */
async function typescript() {
  if (!process.features.typescript) {
    throw new Error(
      `serverless runs on Node ${process.versions.node}, which cannot read the TypeScript of this service. ` +
        'Install Node 22.18 or later, or run `npx serverless …` in a folder whose package.json has the package `node`.',
    )
  }
  const parts = await Promise.all([
    import('./artefact.ts'),
    import('./bundling.ts'),
    import('./tables.ts'),
    import('./environment.ts'),
    import('./stream-functions.ts'),
    import('./roles.ts'),
    import('./account.ts'),
    import('./faults.ts'),
    import('./alarms.ts'),
    import('./dashboard.ts'),
  ])
  return Object.assign({}, ...parts)
}
