import { join } from 'node:path'

/** A serverless plugin that checks the poller's environment before a deployment. */
export default class DeployCheck {
  constructor(serverless) {
    const streamKeys = ['poller', 'recovery']
    const streamFunctions = () => streamKeys.map((key) => serverless.service.getFunction(key))
    const withoutOffline = () => {
      // A local run has no stack. As strings, such values would be "[object Object]".
      for (const { environment } of streamFunctions()) {
        for (const [name, value] of Object.entries(environment)) {
          if (typeof value !== 'string') delete environment[name]
        }
      }
    }
    this.hooks = {
      // Without this check, the deployed poller would refuse its own environment every minute.
      'before:deploy:deploy': async () => {
        const { pollConfig } = await import('../lib/config.ts')
        const { artefactOf } = await import('./artefact.ts')
        const { findTables } = await import('./tables.ts')
        const { leaseTerms } = await import('../lib/poll/lease-terms.ts')
        const [{ environment }] = streamFunctions()
        // CloudFormation fills in the other values later, so they cannot be checked here.
        const known = Object.entries(environment).filter(([, value]) => typeof value === 'string')
        // The deployment leaves out unknown names, so only this check can report a misspelt one.
        const given = Object.entries(process.env).filter(
          ([name]) => /^(DTS|POLL)_/.test(name) && name !== 'DTS_PASSWORD',
        )
        const artefact = artefactOf(await findTables(join(serverless.config.serviceDir, 'functions/tables')))
        const { handlerTimeoutMs } = pollConfig(Object.fromEntries([...given, ...known]), artefact)
        const { worstCaseMs, slackMs } = leaseTerms(handlerTimeoutMs)
        const needed = (worstCaseMs + slackMs) / 1000
        for (const [index, { timeout }] of streamFunctions().entries()) {
          if (timeout >= needed) continue
          const key = streamKeys[index]
          throw new Error(
            `CONFIG_INVALID: the timeout of ${key} is ${timeout} s. With a table function that may run for ` +
              `${handlerTimeoutMs / 1000} s it must be at least ${needed} s. Otherwise it can never invoke that function. Raise ` +
              `custom.stream.${key}.timeout in serverless.yml, or lower that function's in custom.tables.`,
          )
        }
      },
      'before:offline:start': withoutOffline,
      'before:offline:start:init': withoutOffline,
    }
  }
}
