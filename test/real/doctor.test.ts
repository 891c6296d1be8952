import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { CreateQueueCommand, SQSClient } from '@aws-sdk/client-sqs'
import { PutParameterCommand, SSMClient } from '@aws-sdk/client-ssm'
import { type AwsEndpoint, startDynalite } from '../../infra/local/dynalite.ts'
import { startMoto } from '../rig/moto.ts'
import { startDStoreSource } from '../support/dstore-source.ts'
import { alive, Writer } from '../support/records.ts'
import { type Rig, startRig } from '../support/world.ts'

describe('doctor and the services of AWS', () => {
  let aws: AwsEndpoint
  let rig: Rig
  before(async () => {
    aws = await startMoto()
    const { stop } = aws
    rig = await startRig({ name: 'moto', startDynamo: startDynalite, startSource: startDStoreSource, stop })
  })
  after(() => rig.stop())

  test('a queue that exists is ok, and a missing one says what to run', async (t) => {
    const world = await rig.start(t)
    await world.source.append([...new Writer().inserts('shop.orders', 0, 9), alive()])
    const credentials = { accessKeyId: 'testing', secretAccessKey: 'testing' }
    const sqs = new SQSClient({ endpoint: aws.endpoint, region: 'eu-central-1', credentials })
    const { QueueUrl = '' } = await sqs.send(
      new CreateQueueCommand({ QueueName: 'letters.fifo', Attributes: { FifoQueue: 'true' } }),
    )
    sqs.destroy()
    const line = async (url: string) => {
      const environment = { DEAD_LETTER_QUEUE_URL: url, AWS_ENDPOINT_URL_SQS: aws.endpoint }
      const answer = await world.recover({ action: 'doctor' }, environment)
      assert.ok(answer.action === 'doctor')
      const { name, result, detail } = answer.checks.at(-1) ?? assert.fail('no line')
      assert.equal(name, 'dead-letter queue')
      assert.deepEqual(
        answer.checks.slice(0, -1).filter((check) => check.result !== 'ok'),
        [],
      )
      return { healthy: answer.healthy, result, detail }
    }
    assert.deepEqual(await line(QueueUrl), { healthy: true, result: 'ok', detail: '0 waiting' })
    const missing = await line(QueueUrl.replace('letters', 'nowhere'))
    assert.deepEqual([missing.healthy, missing.result], [false, 'failed'])
    assert.match(
      missing.detail,
      /^DEAD_LETTER_FAILED: .*QueueDoesNotExist.*Deploy the stack, or correct DEAD_LETTER_QUEUE_URL/,
    )
  })

  test('a password in an SSM parameter is decrypted, and a missing parameter says what to do', async (t) => {
    const world = await rig.start(t)
    await world.source.append([...new Writer().inserts('shop.orders', 0, 9), alive()])
    const credentials = { accessKeyId: 'testing', secretAccessKey: 'testing' }
    const ssm = new SSMClient({ endpoint: aws.endpoint, region: 'eu-central-1', credentials })
    const Value = world.source.environment.DTS_PASSWORD
    await ssm.send(new PutParameterCommand({ Name: '/prod/dts', Type: 'SecureString', Value }))
    ssm.destroy()
    const login = async (name: string) => {
      const environment = {
        DTS_PASSWORD: '',
        DTS_PASSWORD_PARAMETER: name,
        AWS_ENDPOINT_URL_SSM: aws.endpoint,
      }
      const answer = await world.recover({ action: 'doctor' }, environment)
      assert.ok(answer.action === 'doctor')
      const { result, detail } = answer.checks.find((check) => check.name === 'credentials') ?? assert.fail()
      return `${result} ${detail}`
    }
    assert.match(await login('/prod/dts'), /^ok .* is accepted$/)
    assert.match(
      await login('/prod/other'),
      /^failed SECRET_UNAVAILABLE: The parameter \/prod\/other does not exist in this account and region/,
    )
  })
})
