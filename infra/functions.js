/**
 * The values that serverless.yml reads from code. serverless loads only JavaScript with `${file(…)}`, so this file imports
 * the TypeScript. serverless calls each export with its variable resolver.
 */
import { fileURLToPath } from 'node:url'

const tablesFolder = fileURLToPath(new URL('../functions/tables', import.meta.url))

/** The functions of functions/tables, as entries of `functions:` in serverless.yml. */
export async function tables(serverless) {
  const { findTables, tableFunctions } = await typescript('./tables.ts')
  return tableFunctions(await findTables(tablesFolder), await settings(serverless))
}

/** The environment of poller and recovery. */
export async function streamEnvironment(serverless) {
  const { findTables } = await typescript('./tables.ts')
  const environment = await typescript('./environment.ts')
  return environment.streamEnvironment(
    process.env,
    await findTables(tablesFolder),
    await settings(serverless),
  )
}

/** One IAM role for each function and one for the schedule, as CloudFormation resources. */
export async function roles(serverless) {
  const { findTables } = await typescript('./tables.ts')
  const { rolesOf } = await typescript('./roles.ts')
  return rolesOf(await findTables(tablesFolder), await settings(serverless))
}

/** Alarms and the dashboard, as CloudFormation resources. */
export async function monitoring({ resolveVariable }) {
  const { findTables } = await typescript('./tables.ts')
  const { alarmsOf } = await typescript('./alarms.ts')
  const { dashboardOf } = await typescript('./dashboard.ts')
  const prefix = await resolveVariable('self:custom.prefix')
  const deadLetterQueue = await resolveVariable('self:custom.deadLetterQueue')
  const tables = (await findTables(tablesFolder)).map(({ key }) => key)
  const alarms = alarmsOf({
    prefix,
    deadLetterQueue,
    thresholds: await resolveVariable('self:custom.alarms'),
    topicArn: (process.env.ALARM_TOPIC_ARN ?? '').trim(),
    email: (process.env.ALARM_EMAIL ?? '').trim(),
  })
  return { ...alarms, Dashboard: dashboardOf({ prefix, deadLetterQueue, tables }) }
}

async function settings({ resolveVariable }) {
  return {
    prefix: await resolveVariable('self:custom.prefix'),
    flags: `--stage ${await resolveVariable('sls:stage')} --region ${await resolveVariable('self:provider.region')}`,
    service: await resolveVariable('self:service'),
    stage: await resolveVariable('sls:stage'),
    checkpointTable: await resolveVariable('self:custom.checkpointTable'),
    secret: process.env.DTS_PASSWORD_SECRET ?? '',
    tables: (await resolveVariable('self:custom.tables, null')) ?? {},
  }
}

function typescript(file) {
  if (!process.features.typescript) {
    throw new Error(
      `serverless runs on Node ${process.versions.node}, which cannot read the TypeScript of this service. ` +
        'Run `npx serverless …` in the project folder. It uses the Node that the project installs.',
    )
  }
  return import(file)
}
