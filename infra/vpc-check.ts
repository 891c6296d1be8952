import { DtsError } from '../lib/errors.ts'

/** The functions of the service, as serverless holds them. */
export type Functions = Readonly<Record<string, { readonly vpc?: unknown }>>

/**
 * Refuses a `vpc` without subnets or without security groups. serverless then leaves the function outside the VPC and says
 * nothing, and the function has no way to a private address.
 * @throws DtsError CONFIG_INVALID
 */
export function checkVpc(providerVpc: unknown, functions: Functions): void {
  for (const [key, { vpc }] of Object.entries(functions)) {
    // `vpc: false` takes one function out of the provider's VPC.
    if (vpc === false || vpc === null) continue
    const own = fieldsOf(vpc)
    const common = fieldsOf(providerVpc)
    const missing = ['subnetIds', 'securityGroupIds'].filter((name) => isEmpty(own[name] ?? common[name]))
    if (missing.length === 0 || (missing.length === 2 && vpc === undefined && providerVpc === undefined))
      continue
    throw new DtsError(
      'CONFIG_INVALID',
      `The function ${key} has a vpc without ${missing.join(' and ')}, so Lambda would run it outside the VPC. Give ` +
        `${missing.join(' and ')} in provider.vpc or in the function's vpc, or set its vpc to false.`,
      { retryable: false },
    )
  }
}

function fieldsOf(vpc: unknown): Readonly<Record<string, unknown>> {
  return typeof vpc === 'object' && vpc !== null ? { ...vpc } : {}
}

function isEmpty(value: unknown): boolean {
  return value === undefined || value === null || (Array.isArray(value) && value.length === 0)
}
