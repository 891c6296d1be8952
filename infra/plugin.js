/**
 * The serverless plugin of the service. It checks the configuration, and completes what serverless compiled. serverless
 * loads only JavaScript, so this file imports the TypeScript that does the work.
 */
import { join } from 'node:path'
import { environmentProblems, groupProblems, prepareLocalRun, streamFunctions } from './deploy-check.js'
import { refuseProblems } from './problems.js'
import { endBundler, keepRole, makeInvocable } from './single-function.js'

export default class DtsFunctionsPlugin {
  constructor(serverless) {
    const { service } = serverless
    this.hooks = {
      // A stack can be removed although its configuration has faults.
      initialize: async () => {
        const [command] = serverless.processedInput.commands
        if (command !== 'remove') refuseProblems(serverless)
        const bundler = bundlerOf(serverless)
        if (bundler === undefined) return
        const { streamBundles } = await import('./stream-bundles.ts')
        // Whichever of the two plugins a service names first.
        bundler.buildOptions ??= bundler.getBuildOptions()
        bundler.buildOptions.plugins = [...bundler.plugins, streamBundles]
        if (command === 'offline') await buildLess(serverless, bundler)
      },
      'before:package:cleanup': async () => {
        const { settingProblems } = await import('./setting-problems.ts')
        // `package` needs no stream: a build machine may package for a stage whose variables it does not have.
        const isDeployed = serverless.processedInput.commands[0] === 'deploy'
        refuseProblems(serverless, [
          ...settingProblems(serviceParts(serverless)),
          ...(await groupProblems(serverless)),
          ...(await environmentProblems(serverless, isDeployed)),
        ])
      },
      'before:deploy:deploy': async () => {
        // Again: with `--package`, nothing was packaged here.
        refuseProblems(serverless, await environmentProblems(serverless))
        const { accountProblems } = await import('./account-check.ts')
        refuseProblems(serverless, await accountProblems(await deployment(serverless)))
      },
      'before:deploy:function:deploy': () => keepRole(serverless),
      'before:invoke:local:invoke': () => makeInvocable(serverless),
      error: () => endBundler(serverless),
      'before:offline:start': () => prepareLocalRun(serverless),
      'before:offline:start:init': () => prepareLocalRun(serverless),
      'after:aws:package:finalize:mergeCustomProviderResources': async () => {
        const { completeRoles } = await import('./complete-roles.ts')
        const { encryptWith } = await import('./encryption.ts')
        const { limitProblems } = await import('./limits.ts')
        const { findTableFiles } = await import('./table-files.ts')
        const template = service.provider.compiledCloudFormationTemplate
        completeRoles(template.Resources, roleSettings(service.provider))
        const { kmsKey } = service.custom?.account ?? {}
        if (kmsKey !== undefined) encryptWith(template.Resources, kmsKey)
        const files = await findTableFiles(join(serverless.config.serviceDir, 'functions/tables'))
        refuseProblems(serverless, limitProblems(template, files.length))
      },
      'before:aws:package:finalize:saveServiceState': async () => {
        const { writeAdoption } = await import('./adoption.ts')
        const { Resources } = service.provider.compiledCloudFormationTemplate
        writeAdoption(join(serverless.config.serviceDir, '.serverless'), Resources)
      },
    }
  }
}

/** A local run builds again whenever a file is saved. */
async function buildLess(serverless, bundler) {
  const { rebuildWhatChanged } = await import('./rebuild.ts')
  rebuildWhatChanged(bundler, serverless.config.serviceDir)
}

/** serverless-esbuild. Undefined if a service bundles in another way. */
function bundlerOf(serverless) {
  return serverless.pluginManager.plugins.find((plugin) => plugin.buildCache !== undefined)
}

/** The parts of the service that a check without AWS needs. */
function serviceParts(serverless) {
  const { service } = serverless
  const provider = serverless.getProvider('aws')
  return {
    region: provider.getRegion(),
    stackName: provider.naming.getStackName(),
    functions: service.functions,
    provider: service.provider,
    account: service.custom?.account ?? {},
    given: process.env,
  }
}

/** What a check of the account needs to know. */
async function deployment(serverless) {
  const provider = serverless.getProvider('aws')
  const aws = { region: provider.getRegion(), ...(await provider.getAwsSdkV3Config()) }
  const pollers = streamFunctions(serverless).filter(([key]) => key.startsWith('poller'))
  const { storedPasswords } = await import('./stored-password.ts')
  const passwords = pollers.flatMap(([, { environment }]) => storedPasswords(environment))
  const reservedConcurrency = pollers.reduce((sum, [, poller]) => sum + (poller.reservedConcurrency ?? 0), 0)
  const stackName = provider.naming.getStackName()
  const checkpointTable = serverless.service.resources.Resources.CheckpointTable.Properties.TableName
  return {
    aws,
    // The pollers of several partitions, and some sources, have the same one.
    passwords: [...new Map(passwords.map((one) => [`${one.store} ${one.id}`, one])).values()],
    reservedConcurrency,
    stackName,
    checkpointTable,
  }
}

function roleSettings({ iam, tags, ...provider }) {
  const role = typeof iam?.role === 'object' ? iam.role : {}
  return {
    permissionsBoundary:
      role.permissionsBoundary ?? role.permissionBoundary ?? provider.rolePermissionsBoundary,
    path: role.path,
    tags: { ...tags, ...role.tags },
    statements: role.statements ?? provider.iamRoleStatements ?? [],
    managedPolicies: role.managedPolicies ?? provider.iamManagedPolicies ?? [],
  }
}
