/** A serverless plugin: no deployment of a poller that would refuse its own environment every minute. */
export default class DeployCheck {
  constructor(serverless) {
    this.hooks = {
      'before:deploy:deploy': async () => {
        const { pollConfig } = await import('../lib/config.ts')
        pollConfig(serverless.service.getFunction('poller').environment)
      },
    }
  }
}
