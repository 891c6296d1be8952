import '../rig/quiet.ts'
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { CreateSecretCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { type AwsEndpoint, createCheckpointTable, localAws, localClient } from '../../infra/local/dynalite.ts'
import { ObservationFile } from '../../infra/local/observations.ts'
import {
  playScenario,
  type ScenarioStream,
  scenarioSettings,
  streamSeconds,
} from '../../infra/local/scenario.ts'
import type { ShopRecord } from '../../infra/local/shop.ts'
import type { Answer } from '../../infra/local/stack.ts'
import { CheckpointStore } from '../../lib/checkpoint/store.ts'
import { type InvokeServer, startInvokeServer } from '../rig/invoke-server.ts'
import { kafkaSources } from '../rig/kafka-source.ts'
import { FunctionError, type LambdaProcess, startLambda } from '../rig/lambda-process.ts'
import { startMoto } from '../rig/moto.ts'
import { type Resource, readResources } from '../support/packaged.ts'
import type { Source } from '../support/parts.ts'
import { copyService, type ServiceCopy } from '../support/service-copy.ts'

/** Some steps of the preparation take a minute on a busy machine. */
const busyMachine = { timeout: 180_000 }

const observe = fileURLToPath(new URL('../../infra/local/observe.ts', import.meta.url))
const secretId = 'shop/dts'
const startTime = Math.floor(Date.now() / 1000) - streamSeconds

const kafka = kafkaSources('current', 2)
let source: Source
let aws: AwsEndpoint
let lambda: InvokeServer
let service: ServiceCopy
const folder = mkdtempSync(join(tmpdir(), 'dts-functions-artefacts-'))
const processes = new Map<string, LambdaProcess>()
const observationFile = join(folder, 'observations.jsonl')

/** The function's variables, as the template has them, and what only this machine knows. */
function environmentOf({ Properties }: Resource): Record<string, string> {
  const { Variables = {} } = (Properties.Environment ?? {}) as { Variables?: Record<string, unknown> }
  // A reference to another resource of the stack: the queue and the bucket of dead letters, which only recovery asks.
  const known = Object.entries(Variables).map(([name, value]) => [
    name,
    typeof value === 'string' ? value : `${aws.endpoint}/${name.toLowerCase()}`,
  ])
  // The process that handles changes tells the test about each one; the artefact stays as it is.
  const observed = Object.keys(Variables).length === 0 ? { NODE_OPTIONS: `--import=${observe}` } : {}
  return {
    ...observed,
    ...Object.fromEntries(known),
    ...localAws,
    AWS_ENDPOINT_URL: aws.endpoint,
    AWS_ENDPOINT_URL_LAMBDA: lambda.endpoint,
    LOCAL_OBSERVATION_FILE: observationFile,
  }
}

function streamOf(): ScenarioStream {
  let records: ShopRecord[] = []
  return {
    get clusterId() {
      return source.clusterId
    },
    async append(more) {
      records.push(...more)
      await source.append(more)
    },
    filler(count) {
      const timestamp = records.at(-1)?.timestamp ?? startTime
      return source.append(
        Array.from({ length: count }, (_, at) => ({ value: Buffer.alloc(at % 3), timestamp })),
      )
    },
    async switchCluster(fromTimestamp) {
      records = records.filter(({ timestamp }) => timestamp >= fromTimestamp)
      await source.switchCluster(records)
    },
    end: async () => (await source.range()).end,
  }
}

async function invoke(name: 'poller' | 'recovery', event: unknown): Promise<Answer> {
  const target = processes.get(`dts-functions-dev-${name}`)
  if (target === undefined) throw new Error(`${name} is not packaged.`)
  try {
    return { ok: true, result: await target.invoke(event) }
  } catch (error) {
    if (!(error instanceof FunctionError)) throw error
    return { ok: false, code: error.name, message: error.message }
  }
}

describe('every packaged function, under AWS’s runtime interface client', () => {
  before(async () => {
    const parts = await Promise.all([kafka.start({ partitions: 1 }), startMoto(), startInvokeServer()])
    ;[source, aws, lambda] = parts
  }, busyMachine)
  before(async () => {
    service = copyService()
    const { DTS_PASSWORD = '', ...stream } = source.environment
    const given = {
      ...stream,
      ...scenarioSettings,
      DTS_PASSWORD_SECRET: secretId,
      DTS_CHECKPOINT: String(startTime),
    }
    const [packaged] = await Promise.all([
      service.serverless(['package', '--package', folder], given),
      createCheckpointTable(new DynamoDBClient(localClient(aws.endpoint)), 'dts-functions-dev-checkpoint'),
      new SecretsManagerClient(localClient(aws.endpoint)).send(
        new CreateSecretCommand({ Name: secretId, SecretString: DTS_PASSWORD }),
      ),
    ])
    assert.equal(packaged.code, 0, packaged.output)
  }, busyMachine)
  before(async () => {
    const resources = Object.values(readResources(folder))
    const functions = resources.filter(({ Type }) => Type === 'AWS::Lambda::Function')
    for (const one of functions) {
      const name = String(one.Properties.FunctionName)
      const started = await startLambda({
        name,
        artefact: join(folder, `${name.slice('dts-functions-dev-'.length)}.zip`),
        handler: String(one.Properties.Handler),
        timeoutMs: Number(one.Properties.Timeout) * 1_000,
        environment: environmentOf(one),
      })
      processes.set(name, started)
      lambda.host(name, (event) => started.invoke(event))
    }
  }, busyMachine)
  after(async () => {
    await Promise.all([...processes.values()].map((one) => one.stop()))
    service?.remove()
    await Promise.all([kafka.stop(), aws?.stop(), lambda?.stop()])
    rmSync(folder, { recursive: true, force: true })
  })

  test('delivers its part of 10,000 changes across a cluster change, with nothing but its artefact', async () => {
    const store = new CheckpointStore(
      new DynamoDBClient(localClient(aws.endpoint)),
      'dts-functions-dev-checkpoint',
      source.topic,
      0,
    )
    const said: string[] = []
    const stage = { stream: streamOf(), store, observed: new ObservationFile(observationFile), invoke }
    const passed = await playScenario(stage, startTime, (line) => said.push(line)).catch((error: unknown) => {
      const outputs = [...processes].map(([name, one]) => `${name}:\n${one.output().slice(-2_000)}`)
      throw new Error([String(error), ...said, ...outputs].join('\n'), { cause: error })
    })
    assert.ok(passed, said.join('\n'))
  })
})
