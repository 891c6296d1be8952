import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type Service, settingProblems } from '../../infra/setting-problems.ts'

const poller = { timeout: 120, memorySize: 512 }
const sound: Service = {
  region: 'eu-central-1',
  stackName: 'shop-dev',
  functions: { poller },
  provider: {},
  account: {},
  given: {},
}
const withPoller = (more: object): Service => ({ ...sound, functions: { poller: { ...poller, ...more } } })
const handing = (more: object, environment: object = {}) =>
  withPoller({
    timeout: 240,
    reservedConcurrency: 2,
    ...more,
    environment: { POLL_HANDOVER: 'true', HANDLER_TIMEOUT_SECONDS: '30', ...environment },
  })
const vpc = { subnetIds: ['subnet-1'], securityGroupIds: ['sg-1'] }

describe('settings that AWS would accept have no fault', () => {
  const given = {
    ALARM_EMAIL: ' night@example.com ',
    ALARM_TOPIC_ARN: 'arn:aws:sns:eu-central-1:111122223333:night',
  }
  const cases: [what: string, service: Service][] = [
    ['the defaults', sound],
    ['a VPC of one function', withPoller({ vpc })],
    [
      'a VPC of the provider, and a role path',
      { ...sound, provider: { vpc, iam: { role: { path: '/a/b/' } } } },
    ],
    [
      'subnets of the provider and security groups of a function',
      {
        ...withPoller({ vpc: { securityGroupIds: ['sg-1'] } }),
        provider: { vpc: { subnetIds: ['subnet-1'] } },
      },
    ],
    ['a function outside the VPC', { ...withPoller({ vpc: false }), provider: { vpc: {} } }],
    ['runs that hand over, without any other setting', handing({})],
    ['runs that hand over, with the shortest wait', handing({ timeout: 125 }, { POLL_LINGER_SECONDS: '70' })],
    [
      'runs that hand over in an account that refuses reservations',
      handing({ reservedConcurrency: undefined }),
    ],
    [
      'short runs that do not hand over',
      withPoller({ timeout: 60, reservedConcurrency: 1, environment: { POLL_HANDOVER: 'false' } }),
    ],
    ['addresses with blanks around them', { ...sound, given }],
    [
      'a function outside the VPC, in its other form',
      { ...withPoller({ vpc: null }), provider: { vpc: {} } },
    ],
    ['as many layers as Lambda allows', withPoller({ layers: [1, 2, 3, 4, 5] })],
    ['the longest name of a stack', { ...sound, stackName: 'x'.repeat(128) }],
    [
      'a function that is no poller, whatever its name begins with',
      { ...sound, functions: { pollers: handing({ reservedConcurrency: 1 }).functions.poller ?? {} } },
    ],
  ]
  for (const [what, service] of cases) {
    test(what, () => assert.deepEqual(settingProblems(service), []))
  }
})

describe('settings that AWS would refuse or ignore are refused before', () => {
  const cases: [service: Service, message: RegExp][] = [
    [
      withPoller({ vpc: { securityGroupIds: ['sg-1'] } }),
      /poller has a vpc without subnetIds, .*outside the VPC/,
    ],
    [withPoller({ vpc: {} }), /without subnetIds and securityGroupIds/],
    [{ ...sound, provider: { vpc: { ...vpc, subnetIds: [] } } }, /without subnetIds/],
    [withPoller({ memorySize: 64 }), /memorySize of poller is 64 MB\. Lambda allows 128 to 10240/],
    [withPoller({ timeout: 901 }), /timeout of poller is 901 s\. Lambda allows 1 to 900/],
    [withPoller({ layers: [1, 2, 3, 4, 5, 6] }), /poller has 6 layers\. Lambda allows 5/],
    [
      handing({ reservedConcurrency: 1 }, { POLL_HANDOVER: ' true\n' }),
      /poller reserves a concurrency of 1\. .*reserve 2/,
    ],
    [
      { ...sound, provider: { iam: { role: { path: `/${'x'.repeat(511)}/` } } } },
      /provider\.iam\.role\.path is "/,
    ],
    [
      { ...sound, account: { passwordKey: 'arn:aws:kms:us-east-1:111122223333:key/1' } },
      /custom\.account\.passwordKey is in us-east-1/,
    ],
    [handing({ reservedConcurrency: 1 }), /poller reserves a concurrency of 1\. .*reserve 2/],
    [
      handing({}, { POLL_LINGER_SECONDS: '69' }),
      /POLL_LINGER_SECONDS is 69\. .*a run starts every 60 s\. .*at least 70/,
    ],
    [
      handing({ timeout: 174 }),
      /timeout of poller is 174 s\. .*120 s of waiting, 10 s .* 45 s .*at least 175/,
    ],
    [
      handing({ timeout: 900 }, { HANDLER_TIMEOUT_SECONDS: '800' }),
      /at least 945, which Lambda does not allow: lower POLL_LINGER_SECONDS or the timeout/,
    ],
    [
      { ...sound, functions: { 'poller-crm-3': handing({ reservedConcurrency: 1 }).functions.poller ?? {} } },
      /poller-crm-3 reserves/,
    ],
    [{ ...sound, stackName: 'x'.repeat(129) }, /129 characters, CloudFormation allows 128/],
    [{ ...sound, provider: { iam: { role: { path: 'team' } } } }, /provider\.iam\.role\.path is "team"/],
    [{ ...sound, given: { ALARM_EMAIL: 'night' } }, /ALARM_EMAIL is "night", which is no mail address/],
    [{ ...sound, given: { ALARM_TOPIC_ARN: 'night' } }, /ALARM_TOPIC_ARN is "night", which is not the ARN/],
    [
      { ...sound, given: { ALARM_TOPIC_ARN: 'arn:aws:sns:us-east-1:111122223333:night' } },
      /ALARM_TOPIC_ARN is in us-east-1, and the service is deployed to eu-central-1/,
    ],
    [
      withPoller({
        environment: {
          DTS_PASSWORD_SECRET: 'arn:aws:secretsmanager:us-east-1:111122223333:secret:dts-AbCdEf',
        },
      }),
      /DTS_PASSWORD_SECRET is in us-east-1/,
    ],
    [
      withPoller({
        environment: {
          DTS_SOURCE: 'crm',
          DTS_PASSWORD_SECRET: ' arn:aws:secretsmanager:us-east-1:111122223333:secret:crm-AbCdEf',
        },
      }),
      /custom\.sources\.crm\.secret is in us-east-1/,
    ],
    [
      withPoller({
        environment: {
          DTS_SOURCE: 'crm',
          DTS_PASSWORD_PARAMETER: 'arn:aws:ssm:us-east-1:111122223333:parameter/crm',
        },
      }),
      /custom\.sources\.crm\.parameter is in us-east-1/,
    ],
    [
      { ...sound, account: { kmsKey: 'arn:aws-cn:kms:cn-north-1:111122223333:key/1' } },
      /custom\.account\.kmsKey is in cn-north-1/,
    ],
  ]
  for (const [service, message] of cases) {
    test(message.source.slice(0, 70), () => {
      const faults = settingProblems(service)
      assert.equal(faults.length, 1, faults.join('\n'))
      assert.match(faults.join(), message)
    })
  }

  test('all faults at once', () => {
    const faults = settingProblems({ ...withPoller({ vpc: {}, timeout: 0 }), given: { ALARM_EMAIL: 'x' } })
    assert.equal(faults.length, 3)
  })
})
