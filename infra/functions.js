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
export const esbuild = collecting(async (serverless) => {
  const { artefactOf, bundlingWith } = await typescript()
  const { found, streams } = await parts(serverless)
  const sources = streams.map(({ source }) => source)
  return bundlingWith(artefactOf(found, sources))
}, {})

/** Poller and recovery of each stream, as entries of `functions:` in serverless.yml. */
export const streamFunctions = collecting(async (serverless) => {
  const { streamEnvironment, streamFunctions: entries } = await typescript()
  const { found, streams, known } = await parts(serverless)
  const environmentOf = (stream) => streamEnvironment(process.env, stream, found, known)
  return Object.assign({}, ...streams.map((stream) => entries(environmentOf(stream), stream, known)))
}, {})

/** The functions of functions/tables, as entries of `functions:` in serverless.yml. */
export const tables = collecting(async (serverless) => {
  const { tableFunctions } = await typescript()
  const { found, known } = await parts(serverless)
  return tableFunctions(found, known)
}, {})

/** Everything else in the stack: checkpoint table, dead letters, roles, alarms, dashboard. For `resources:`. */
export const resources = collecting(async (serverless) => {
  const { deadLetterQueues, namesOf, parseAccount, requireAll, rolesOf, streamStatements, tableFunctions } =
    await typescript()
  const settings = await settingsOf(serverless)
  // Each part reports its first fault. A person wants to see all of them at once.
  let all = null
  await requireAll([
    async () => {
      all = await parts(serverless)
    },
    () => parseAccount(settings.account),
    () => streamStatements(settings),
    () => monitoring(serverless, { ...settings, streams: [{ source: '' }] }, []),
    () => all && tableFunctions(all.found, all.known),
  ])
  const { found, streams, known } = all
  const { DeadLetterQueue, DeadLetterQueuePolicy, ...bucket } = await included(serverless, 'dead-letters.yml')
  const queueIds = streams.map((stream) => namesOf(stream).queueId)
  return {
    Resources: {
      ...(await included(serverless, 'checkpoint-table.yml')),
      ...deadLetterQueues({ DeadLetterQueue, DeadLetterQueuePolicy }, streams, known.prefix),
      ...bucket,
      ...rolesOf(found, known),
      ...(await monitoring(serverless, known, found)),
    },
    Outputs: {
      CheckpointTable: { Value: { Ref: 'CheckpointTable' } },
      ...Object.fromEntries(queueIds.map((id) => [id, { Value: { Ref: id } }])),
    },
  }
}, {})

async function monitoring({ resolveVariable }, { prefix, streams }, found) {
  const { alarmsOf, alarmTopic, dashboardOf, namesOf, queueName } = await typescript()
  const thresholds = (await resolveVariable('self:custom.alarms, null')) ?? {}
  const topicArn = (process.env.ALARM_TOPIC_ARN ?? '').trim()
  const email = (process.env.ALARM_EMAIL ?? '').trim()
  const ofStream = (stream) => {
    const deadLetterQueue = queueName(prefix, stream)
    const keys = found.filter(({ source }) => source === stream.source).map(({ key }) => key)
    return {
      ...alarmsOf({ prefix, stream, deadLetterQueue, thresholds, topicArn, email }),
      [`Dashboard${namesOf(stream).suffix}`]: dashboardOf({ prefix, stream, deadLetterQueue, tables: keys }),
    }
  }
  return Object.assign(alarmTopic(email), ...streams.map(ofStream))
}

/** A file of this folder, with its variables resolved. */
async function included({ resolveVariable }, name) {
  const path = relative(serviceFolder, fileURLToPath(new URL(name, import.meta.url)))
  return resolveVariable(`file(${path})`)
}

/** The handler files, the streams, and the settings with both. */
async function parts(serverless) {
  const { findTables, localStream, sourceNames, streamsOf } = await typescript()
  const settings = await settingsOf(serverless)
  const found = await findTables(tablesFolder, sourceNames(settings.sources))
  const hasUnnamed = found.some(({ source }) => source === '')
  // `npm start` sets it: then the only stream is that source's, at the emulator's address.
  const { LOCAL_SOURCE: local } = process.env
  const streams =
    local === undefined
      ? streamsOf(settings.sources, hasUnnamed, process.env)
      : [localStream(local, process.env)]
  return { found, streams, known: { ...settings, streams } }
}

/** The settings of serverless.yml. */
async function settingsOf({ resolveVariable }) {
  const service = await resolveVariable('self:service')
  const stage = await resolveVariable('sls:stage')
  const prefix = `${service}-${stage}-`
  return {
    prefix,
    flags: `--stage ${stage} --region ${await resolveVariable('self:provider.region')}`,
    service,
    stage,
    checkpointTable: `${prefix}checkpoint`,
    sources: (await resolveVariable('self:custom.sources, null')) ?? {},
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
    import('./sources.ts'),
    import('./streams.ts'),
    import('./dead-letter-queues.ts'),
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
