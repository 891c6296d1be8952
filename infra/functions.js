/**
 * What serverless.yml asks of TypeScript: serverless loads only JavaScript by `${file(…)}`, so this file is the
 * door to tables.ts and roles.ts. Each export is called by serverless with its variable resolver.
 */
import { fileURLToPath } from 'node:url'

const tablesFolder = fileURLToPath(new URL('../functions/tables', import.meta.url))

/** The functions under functions/tables, as `functions:` of a service file lists them. */
export async function tables(serverless) {
  const { findTables, tableFunctions } = await typescript('./tables.ts')
  return tableFunctions(await findTables(tablesFolder), await settings(serverless))
}

/** The value of the poller's variable ROUTES: JSON, table pattern → function key. */
export async function routes() {
  const { findTables, routesJson } = await typescript('./tables.ts')
  return routesJson(await findTables(tablesFolder))
}

/** Seconds that the poller has to allow a table function for: the longest timeout of them all. */
export async function longestTimeout(serverless) {
  const { findTables, longestTimeoutOf } = await typescript('./tables.ts')
  return longestTimeoutOf(await findTables(tablesFolder), await settings(serverless))
}

/** One IAM role per function, and the schedule's, as CloudFormation resources. */
export async function roles(serverless) {
  const { findTables } = await typescript('./tables.ts')
  const { rolesOf } = await typescript('./roles.ts')
  return rolesOf(await findTables(tablesFolder), await settings(serverless))
}

async function settings({ resolveVariable }) {
  return {
    prefix: await resolveVariable('self:custom.prefix'),
    checkpointTable: await resolveVariable('self:custom.checkpointTable'),
    secret: await resolveVariable("env:DTS_PASSWORD_SECRET, ''"),
    tables: (await resolveVariable('self:custom.tables, null')) ?? {},
  }
}

function typescript(file) {
  if (!process.features.typescript) {
    throw new Error(
      `serverless runs on Node ${process.versions.node}, which cannot read the TypeScript of this service. ` +
        'Run it from the project folder as `npx serverless …`: that uses the Node that the project installs.',
    )
  }
  return import(file)
}
