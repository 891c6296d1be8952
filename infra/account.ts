import * as z from 'zod'
import { invalidSetting } from './setting-error.ts'

/** A key's ARN in any partition, or a CloudFormation function such as `!ImportValue`. An IAM policy cannot name an alias. */
const keyArn = z.union([
  z
    .string()
    .regex(
      /^arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key\/[\w-]+$/,
      'must be the ARN of a KMS key, such as arn:aws:kms:eu-central-1:111122223333:key/…, and not of an alias',
    ),
  z.record(z.string(), z.unknown()),
])

/** `custom.account` in serverless.yml: what an AWS account with rules asks for. docs/account.md describes each setting. */
const accountSchema = z.strictObject({
  /** Encrypts checkpoint table, dead letters, alarm topic and logs. Absent: keys of the services. */
  kmsKey: keyArn.optional(),
  /** Encrypts the password's secret or parameter, if that has a key of its own which is not `kmsKey`. */
  passwordKey: keyArn.optional(),
  /** False: the poller reserves no concurrency. An account whose limit is 10 refuses a reservation. */
  reserveConcurrency: z.boolean().default(true),
})
export type Account = z.output<typeof accountSchema>

/** @throws DtsError CONFIG_INVALID */
export function parseAccount(given: unknown): Account {
  const parsed = accountSchema.safeParse(given)
  if (parsed.success) return parsed.data
  throw invalidSetting('account', parsed.error)
}
