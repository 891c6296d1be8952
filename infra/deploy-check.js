/** A serverless plugin for what depends on the values that CloudFormation puts into the poller's environment. */
export default class DeployCheck {
  constructor(serverless) {
    const streamFunctions = () => ['poller', 'recovery'].map((name) => serverless.service.getFunction(name))
    const withoutOffline = () => {
      // There is no stack behind a local run: as texts such values would be "[object Object]".
      for (const { environment } of streamFunctions()) {
        for (const [name, value] of Object.entries(environment)) {
          if (typeof value !== 'string') delete environment[name]
        }
      }
    }
    this.hooks = {
      // No deployment of a poller that would refuse its own environment every minute.
      'before:deploy:deploy': async () => {
        const { pollConfig } = await import('../lib/config.ts')
        const [{ environment }] = streamFunctions()
        // What CloudFormation fills in later is not known yet, and not checked.
        const known = Object.entries(environment).filter(([, value]) => typeof value === 'string')
        pollConfig(Object.fromEntries(known))
      },
      'before:offline:start': withoutOffline,
      'before:offline:start:init': withoutOffline,
    }
  }
}
