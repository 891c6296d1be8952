/** A statement of an IAM policy. */
export interface Statement {
  readonly Effect: 'Allow' | 'Deny'
  readonly Action: readonly string[]
  readonly Resource: unknown
  readonly Condition?: object
}

export function allow(actions: readonly string[], resource: unknown, condition?: object): Statement {
  const statement: Statement = { Effect: 'Allow', Action: actions, Resource: resource }
  return condition === undefined ? statement : { ...statement, Condition: condition }
}

/** The ARN of a resource of this region and account, in whichever partition the stack is. */
export function arn(service: string, resource: string): object {
  return {
    'Fn::Sub': `arn:${pseudo('Partition')}:${service}:${pseudo('Region')}:${pseudo('AccountId')}:${resource}`,
  }
}

/** A condition for a trust policy: without it, the service could use the role on behalf of another account. */
export const ownAccountOnly = { StringEquals: { 'aws:SourceAccount': { Ref: 'AWS::AccountId' } } }

function pseudo(name: string): string {
  return `\${AWS::${name}}`
}

/** The name of the policy in each role that the service makes. */
export const ownPolicyName = 'own'
