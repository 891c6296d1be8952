import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { pollConfig } from '../../lib/config.ts'
import { given, type Resource, type Resources, readResources, readRoutes } from '../support/packaged.ts'
import { copyService, type ServiceCopy } from '../support/service-copy.ts'

const sources = {
  crm: {
    address: 'crm.example.com:18001',
    topic: 'cn_crm',
    sid: 'dtscrm',
    user: 'reader',
    secret: 'crm/dts',
    start: 1_790_000_000,
  },
}
const handler = `import { defineTable } from 'dts-functions'
import { z } from 'zod'
export const handler = defineTable({ table: 'shop.orders', row: z.object({ id: z.bigint() }), onChange() {} })
`

describe('a service to which a second source is added', () => {
  let service: ServiceCopy
  let one: Resources
  let two: Resources
  let artifacts: string

  before(async () => {
    service = copyService()
    one = (await packaged('one')).resources
  })
  after(() => service.remove())

  async function packaged(name: string) {
    artifacts = join(service.folder, name)
    const { code, output } = await service.serverless(['package', '--package', artifacts], given)
    assert.equal(code, 0, output)
    return { resources: readResources(artifacts) }
  }

  function setSources(value: object): void {
    const file = join(service.folder, 'serverless.yml')
    const text = readFileSync(file, 'utf8').replace(/^ {2}sources: .*\n/m, '')
    assert.match(text, /^ {2}tables: \{\}$/m)
    writeFileSync(
      file,
      text.replace(/^ {2}tables: \{\}$/m, `  tables: {}\n  sources: ${JSON.stringify(value)}`),
    )
  }

  /** Without what names a build: the place and the digest of the code. */
  function stable({ Properties: { Code: _, ...properties }, ...resource }: Resource): object {
    return { ...resource, Properties: properties }
  }

  test('keeps every resource as it is, except that the schedule may start both pollers', async () => {
    setSources(sources)
    mkdirSync(join(service.folder, 'functions/tables/crm'))
    writeFileSync(join(service.folder, 'functions/tables/crm/orders.ts'), handler)
    two = (await packaged('two')).resources
    for (const [id, resource] of Object.entries(one)) {
      const now = two[id]
      assert.ok(now !== undefined, id)
      if (id !== 'PollerScheduleExecution') assert.deepEqual(stable(now), stable(resource), id)
    }
    const added = Object.keys(two).filter((id) => !(id in one))
    assert.deepEqual(added.sort(), [
      'ColumnsChangedAlarmCrm',
      'CrmDashordersLambdaFunction',
      'CrmDashordersLogGroup',
      'CrmDashordersRole',
      'DashboardCrm',
      'DeadLetterQueueCrm',
      'DeadLetterQueuePolicyCrm',
      'DeadLettersAlarmCrm',
      'GroupSharedAlarmCrm',
      'HaltedAlarmCrm',
      'LagAlarmCrm',
      'LeaseTooLongAlarmCrm',
      'LossAlarmCrm',
      'PollerDashcrmLambdaEvConf',
      'PollerDashcrmLambdaFunction',
      'PollerDashcrmLogGroup',
      'PollerDashcrmRole',
      'PollerDashcrmSchedulerSchedule1',
      'PollerErrorsAlarmCrm',
      'PollerNotRunningAlarmCrm',
      'RecoveryDashcrmLambdaEvConf',
      'RecoveryDashcrmLambdaFunction',
      'RecoveryDashcrmLogGroup',
      'RecoveryDashcrmRole',
      'SourceSilentAlarmCrm',
    ])
  })

  test('gives its poller the settings and the routes of the source alone', () => {
    const { Environment, FunctionName } = two.PollerDashcrmLambdaFunction?.Properties ?? {}
    assert.equal(FunctionName, 'dts-functions-dev-poller-crm')
    const { Variables } = Environment as { Variables: Record<string, unknown> }
    const { DEAD_LETTER_QUEUE_URL, DEAD_LETTER_BUCKET: _, ...texts } = Variables
    assert.deepEqual(DEAD_LETTER_QUEUE_URL, { Ref: 'DeadLetterQueueCrm' })
    const routes = readRoutes(artifacts, 'poller-crm')
    const config = pollConfig(texts as Record<string, string>, routes)
    assert.deepEqual([config.source, config.topic, config.group], ['crm', 'cn_crm', 'dtscrm'])
    assert.deepEqual(config.password, { secretId: 'crm/dts' })
    assert.deepEqual(
      Object.values(config.routes).map(({ functionName }) => functionName),
      ['dts-functions-dev-crm-orders'],
    )
    assert.equal(readRoutes(artifacts, 'poller'), routes)
    assert.equal(two.DeadLetterQueueCrm?.Properties.QueueName, 'dts-functions-dev-crm-dead-letters.fifo')
  })
})

describe('package refuses', () => {
  let service: ServiceCopy
  before(() => {
    service = copyService()
  })
  after(() => service.remove())

  async function refusal(value: object, shell: Record<string, string> = {}): Promise<string> {
    const file = join(service.folder, 'serverless.yml')
    const text = readFileSync(file, 'utf8').replace(/^ {2}sources: .*\n/m, '')
    writeFileSync(
      file,
      text.replace(/^ {2}tables: \{\}$/m, `  tables: {}\n  sources: ${JSON.stringify(value)}`),
    )
    const { code, output } = await service.serverless(['package'], { ...given, ...shell })
    assert.equal(code, 1, output)
    return output
  }

  test('a source that its poller would refuse, and a sid of another stage, before it bundles anything', async () => {
    const wrong = await refusal({ crm: { ...sources.crm, address: 'nowhere' } })
    assert.match(wrong, /- custom\.sources\.crm, as variables: .*DTS_BROKER_URL must be host:port/)
    writeFileSync(join(service.folder, '.env.prod'), 'DTS_SID=dtscrm\n')
    const shared = await refusal(sources)
    assert.match(
      shared,
      /- custom\.sources\.crm has the sid dtscrm, and \.env\.prod gives it to another stage/,
    )
    assert.doesNotMatch(shared, /^\s+at /m)
  })

  test('a misspelt setting of the pollers, although the shell gives no stream to a named source', async () => {
    const output = await refusal(sources, { POLL_LINGER_SECOND: '1' })
    assert.match(output, /- custom\.sources\.crm, as variables: .*POLL_LINGER_SECOND is not a known setting/)
  })
})

test('a topic with three partitions is packaged with a poller, a role and a schedule for each', async () => {
  const service = copyService()
  try {
    const artifacts = join(service.folder, 'packaged')
    const { DTS_SID: _, ...kafka } = given
    const { code, output } = await service.serverless(['package', '--package', artifacts], {
      ...kafka,
      DTS_GROUP: 'readers',
      DTS_PARTITIONS: '3',
    })
    assert.equal(code, 0, output)
    const resources = readResources(artifacts)
    for (const partition of [0, 1, 2]) {
      const id = `PollerDash${partition}`
      const { FunctionName, Environment, Role } = resources[`${id}LambdaFunction`]?.Properties ?? {}
      assert.equal(FunctionName, `dts-functions-dev-poller-${partition}`)
      assert.deepEqual(Role, { 'Fn::Sub': `\${${id}Role.Arn}` })
      assert.ok(resources[`${id}SchedulerSchedule1`] !== undefined)
      const { Variables } = Environment as { Variables: Record<string, unknown> }
      const { DEAD_LETTER_QUEUE_URL: _queue, DEAD_LETTER_BUCKET: _bucket, ...texts } = Variables
      const config = pollConfig(texts as Record<string, string>, readRoutes(artifacts, `poller-${partition}`))
      assert.deepEqual([config.partition, config.isOneOfSeveral, config.group], [partition, true, 'readers'])
    }
    assert.equal(resources.PollerLambdaFunction, undefined)
    assert.ok(resources.RecoveryLambdaFunction !== undefined)
  } finally {
    service.remove()
  }
})
