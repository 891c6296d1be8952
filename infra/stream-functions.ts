import * as z from 'zod'
import { DtsError } from '../lib/errors.ts'
import type { Settings } from './tables.ts'

type Settable = Readonly<Record<string, unknown>>

/** `custom.stream`: function settings that replace those below. */
const overridesSchema = z.strictObject({
  poller: z.looseObject({}).default({}),
  recovery: z.looseObject({}).default({}),
})

/**
 * The entries of `functions:` for poller and recovery. Both get the same environment: redrive and replay also invoke the
 * table functions.
 * @throws DtsError CONFIG_INVALID if `custom.stream` names another function
 */
export function streamFunctions(environment: object, settings: Settings): Record<string, object> {
  const { prefix } = settings
  const { poller, recovery } = readOverrides(settings.stream)
  return {
    poller: {
      name: `${prefix}poller`,
      description: 'Fetches changes, hands them to the table functions, commits what they acknowledged',
      handler: 'functions/poller.handler',
      // Fn::Sub, because serverless adds a DependsOn for a role given by its name, and CloudFormation's linter refuses that.
      role: { 'Fn::Sub': `\${PollerRole.Arn}` },
      // Room for several batches of 30 s each. A busy run continues past the next start, so a backlog costs one connect in
      // two minutes. A killed run holds its lease for at most this time.
      timeout: 120,
      // A batch of some megabytes is in memory three times at once: as bytes, decoded, and as JSON.
      memorySize: 512,
      // One run at a time. The lease ensures this too, but a run that only finds the lease taken costs money.
      reservedConcurrency: 1,
      // Lambda queues a start that exceeds the concurrency, and retries a failed one. The next minute's start makes both
      // unnecessary. 60 s is the smallest age that Lambda accepts.
      maximumRetryAttempts: 0,
      maximumEventAge: 60,
      environment,
      events: [
        {
          schedule: {
            method: 'scheduler',
            // The shortest period of EventBridge Scheduler. On an idle stream a change waits up to this long.
            rate: ['rate(1 minute)'],
            description: `Starts the poller of ${prefix}`,
            roleArn: { 'Fn::GetAtt': ['PollerScheduleExecution', 'Arn'] },
          },
        },
      ],
      ...poller,
    },
    // A person invokes it: npx serverless invoke -f recovery -d '{"action":"inspect"}'
    recovery: {
      name: `${prefix}recovery`,
      description: "Inspects the stream's position, moves it after a cluster change, resumes a halted stream",
      handler: 'functions/recovery.handler',
      role: { 'Fn::Sub': `\${RecoveryRole.Arn}` },
      // A reset may scan the whole log for the last committed record, which can take minutes.
      timeout: 300,
      memorySize: 512,
      // A person reads the answer and decides, so Lambda must not retry.
      maximumRetryAttempts: 0,
      environment,
      ...recovery,
    },
  }
}

function readOverrides(given: unknown): { readonly poller: Settable; readonly recovery: Settable } {
  const parsed = overridesSchema.safeParse(given)
  if (parsed.success) return parsed.data
  throw new DtsError(
    'CONFIG_INVALID',
    `custom.stream in serverless.yml is invalid:\n${z.prettifyError(parsed.error)}`,
    { retryable: false },
  )
}
