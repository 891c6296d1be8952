/** Flags by which a command reaches this deployment and no other; none where the code is not deployed. */
const deployment = process.env.DEPLOYMENT_FLAGS ?? ''

/**
 * What the operator runs, to be copied out of a message as it stands: it is read at night, and whoever leaves out the
 * stage asks another stream.
 * @param event of functions/recovery.ts, as JSON
 */
export function recoveryCommand(event: string): string {
  return `npx serverless invoke ${deployment === '' ? '' : `${deployment} `}-f recovery --data '${event}'`
}
