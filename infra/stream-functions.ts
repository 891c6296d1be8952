import * as z from 'zod'
import { parseAccount } from './account.ts'
import { streamVariables } from './environment.ts'
import { handsOver } from './hand-over.ts'
import { roleId } from './logical-id.ts'
import { invalidSetting } from './setting-error.ts'
import { namesOf, type Poller, pollersOf, type Stream } from './streams.ts'
import type { Settings } from './tables.ts'

type Settable = Readonly<Record<string, unknown>>

/** The service refers to these settings elsewhere. */
const fixedSettings = ['name', 'handler', 'role', 'events']

/** Rights, and the search for sids that are used twice, follow from these variables of the shell or of the source. */
function refuseStreamVariables(environment: Settable, context: z.RefinementCtx): void {
  for (const name of streamVariables.filter((one) => one in environment)) {
    const message = `${name} describes the stream: set it in the shell or .env, or in custom.sources`
    context.addIssue({ code: 'custom', path: [name], message })
  }
}

/** Function settings that replace those below, variables in addition to theirs, and IAM statements in addition to the rights of infra/roles.ts. */
const overrideSchema = z
  .looseObject({
    statements: z.array(z.record(z.string(), z.unknown())).default([]),
    environment: z.record(z.string(), z.unknown()).superRefine(refuseStreamVariables).default({}),
    ...Object.fromEntries(
      fixedSettings.map((name) => [name, z.never(`${name} cannot be replaced`).optional()]),
    ),
  })
  .default({ statements: [], environment: {} })

/** `custom.stream` in serverless.yml. */
const overridesSchema = z.strictObject({ poller: overrideSchema, recovery: overrideSchema })

/**
 * The entries of `functions:` for pollers and recovery of a stream. Both get the same environment: redrive and replay also invoke
 * the table functions.
 * @throws DtsError CONFIG_INVALID if `custom.stream` names another function
 */
export function streamFunctions(
  environment: object,
  stream: Pick<Stream, 'source' | 'partitions'>,
  settings: Settings,
): Record<string, object> {
  const { prefix } = settings
  const { poller, recovery } = readOverrides(settings.stream)
  const { reserveConcurrency } = parseAccount(settings.account)
  const names = namesOf(stream)
  // During a hand-over, the next run is connected while the old one ends.
  const runs = handsOver({ ...environment, ...poller.environment }) ? 2 : 1
  const pollerOf = ({ key, partition }: Poller) => [
    key,
    {
      name: prefix + key,
      description: 'Fetches changes, hands them to the table functions, commits what they acknowledged',
      handler: 'functions/poller.handler',
      // Fn::Sub, because serverless adds a DependsOn for a role given by its name, and CloudFormation's linter refuses that.
      role: { 'Fn::Sub': `\${${roleId(key)}.Arn}` },
      // Room for several batches of 30 s each. A busy run continues past the next start, so a backlog costs one connect in
      // two minutes. A killed run holds its lease for at most this time. A run that hands over lasts until the next one asks.
      timeout: runs === 1 ? 120 : 240,
      // Records of some megabytes wait in memory, and batches that are under way are there again, compressed.
      memorySize: 512,
      // One run at a time works. The lease ensures this too, but a run that only finds the lease taken costs money.
      ...(reserveConcurrency ? { reservedConcurrency: runs } : {}),
      // Lambda queues a start that exceeds the concurrency, and retries a failed one. The next minute's start makes both
      // unnecessary. 60 s is the smallest age that Lambda accepts.
      maximumRetryAttempts: 0,
      maximumEventAge: 60,
      events: [
        {
          schedule: {
            method: 'scheduler',
            // The shortest period of EventBridge Scheduler. On an idle stream a change waits up to this long.
            rate: ['rate(1 minute)'],
            description: `Starts the poller of ${prefix}${names.prefix}`,
            roleArn: { 'Fn::GetAtt': ['PollerScheduleExecution', 'Arn'] },
          },
        },
      ],
      ...ownSettings(poller),
      environment: {
        ...environment,
        ...(partition === null ? {} : { DTS_PARTITION: String(partition) }),
        ...poller.environment,
      },
    },
  ]
  return {
    ...Object.fromEntries(pollersOf(stream).map(pollerOf)),
    // A person invokes it: npx serverless invoke -f recovery -d '{"action":"inspect"}'
    [names.recovery]: {
      name: prefix + names.recovery,
      description: "Inspects the stream's position, moves it after a cluster change, resumes a halted stream",
      handler: 'functions/recovery.handler',
      role: { 'Fn::Sub': `\${${roleId(names.recovery)}.Arn}` },
      // A reset may scan the whole log for the last committed record, which can take minutes.
      timeout: 300,
      memorySize: 512,
      // A person reads the answer and decides, so Lambda must not retry.
      maximumRetryAttempts: 0,
      ...ownSettings(recovery),
      environment: { ...environment, ...recovery.environment },
    },
  }
}

/** The IAM statements that `custom.stream` adds to the roles of poller and recovery. @throws DtsError CONFIG_INVALID */
export function streamStatements(settings: Settings): {
  readonly poller: object[]
  readonly recovery: object[]
} {
  const { poller, recovery } = readOverrides(settings.stream)
  return { poller: poller.statements, recovery: recovery.statements }
}

function ownSettings({ statements: _, environment: __, ...own }: z.output<typeof overrideSchema>): Settable {
  return own
}

function readOverrides(given: unknown): z.output<typeof overridesSchema> {
  const parsed = overridesSchema.safeParse(given)
  if (parsed.success) return parsed.data
  throw invalidSetting('stream', parsed.error)
}
