/**
 * The serverless plugin of the service. It checks the configuration, and completes what serverless compiled. serverless
 * loads only JavaScript, so this file imports the TypeScript that does the work.
 */
import { join } from 'node:path'
import DeployCheck from './deploy-check.js'

export default class DtsFunctionsPlugin {
  constructor(serverless) {
    const { service } = serverless
    this.hooks = {
      ...new DeployCheck(serverless).hooks,
      'before:package:compileFunctions': inWords(serverless, async () => {
        const { checkVpc } = await import('./vpc-check.ts')
        checkVpc(service.provider.vpc, service.functions)
      }),
      'after:aws:package:finalize:mergeCustomProviderResources': inWords(serverless, async () => {
        const { completeRoles } = await import('./complete-roles.ts')
        const { checkLimits } = await import('./limits.ts')
        const { findTableFiles } = await import('./table-files.ts')
        const template = service.provider.compiledCloudFormationTemplate
        completeRoles(template.Resources, roleSettings(service.provider))
        const files = await findTableFiles(join(serverless.config.serviceDir, 'functions/tables'))
        checkLimits(template, files.length)
      }),
    }
  }
}

/** serverless prints the stack of every error except its own. An error in the configuration has no use for one. */
function inWords(serverless, check) {
  return async () => {
    try {
      return await check()
    } catch (error) {
      if (error?.code !== 'CONFIG_INVALID') throw error
      throw new serverless.classes.Error(`CONFIG_INVALID: ${error.message}`, 'CONFIG_INVALID')
    }
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
