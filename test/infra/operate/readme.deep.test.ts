import assert from 'node:assert/strict'
import { exec } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { after, before, describe, type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { startDynalite } from '../../../infra/local/dynalite.ts'
import { startDStoreSource } from '../../support/dstore-source.ts'
import { range, shift, Writer } from '../../support/records.ts'
import { type Rig, startRig, type World } from '../../support/world.ts'

const root = fileURLToPath(new URL('../../../', import.meta.url))

/** The commands of the section "At 3 a.m.", unchanged. */
function readmeCommands(): string[] {
  const section = readFileSync(`${root}README.md`, 'utf8')
    .split(/^## /m)
    .find((text) => text.startsWith('At 3 a.m.'))
  const block = /^```sh\n(.*?)^```/ms.exec(section ?? '')?.[1] ?? ''
  return block.split('\n').filter((line) => line !== '')
}

describe('an operator with only the README', () => {
  let rig: Rig
  before(async () => {
    const stop = async () => {}
    rig = await startRig({ name: '', startDynamo: startDynalite, startSource: startDStoreSource, stop })
  })
  after(() => rig.stop())

  /** The recovery function in the README's stage, and a shell with credentials for it. */
  async function start(t: TestContext) {
    const world = await rig.start(t)
    world.lambda.host('dts-functions-prod-recovery', (event) => world.recover(event))
    const shell = async (command: string): Promise<string> => {
      const { PATH, HOME } = process.env
      const env = {
        PATH,
        HOME,
        // The AWS profile of the user who runs the tests must not name a region.
        AWS_CONFIG_FILE: '/dev/null',
        AWS_ACCESS_KEY_ID: 'operator',
        AWS_SECRET_ACCESS_KEY: 'operator',
        AWS_ENDPOINT_URL_LAMBDA: world.lambda.endpoint,
      }
      return (await promisify(exec)(command, { cwd: root, env })).stdout
    }
    return { world, shell }
  }

  async function halt(world: World, code: string): Promise<void> {
    await assert.rejects(world.poll(), { code })
    await assert.rejects(world.poll(), { code: 'STREAM_HALTED' })
  }

  test('restarts a stream after a cluster change with the two commands of "At 3 a.m."', async (t) => {
    const { world, shell } = await start(t)
    const changes = new Writer().inserts('shop.orders', 0, 19)
    await world.source.append(changes.slice(0, 10))
    await world.poll()
    const from = world.source.clusterId
    await world.source.switchCluster([...shift(), ...changes])
    await halt(world, 'CLUSTER_CHANGED')

    const commands = readmeCommands()
    assert.equal(commands.length, 2)
    const [look = '', move = ''] = commands
    const seen = await shell(look)
    assert.match(
      seen,
      new RegExp(`HALTED {2}CLUSTER_CHANGED[^]*from: ${from}\n[^]*to: ${world.source.clusterId}\n`),
    )
    assert.match(seen, /a reset loses and repeats nothing/)
    assert.match(await shell(move), /^The checkpoint was moved\.$/m)
    await world.pollToEnd()
    assert.deepEqual(world.ids('orders'), range(0, 19))
    assert.ok(world.received.every(({ replay }) => !replay))
  })

  const situations: [
    what: string,
    arrange: (world: World) => Promise<void>,
    command: string,
    expected: number[],
  ][] = [
    [
      'the last committed change is in the new log',
      async (world) => {
        const changes = new Writer().inserts('shop.orders', 0, 19)
        await world.source.append(changes.slice(0, 10))
        await world.poll()
        await world.source.replaceLog([...shift(), ...changes])
        await halt(world, 'LOG_CHANGED')
      },
      'npm run recovery -- reset --stage prod --region eu-central-1',
      range(0, 19),
    ],
    [
      'changes are lost',
      async (world) => {
        const changes = new Writer().inserts('shop.orders', 0, 19)
        await world.source.append(changes.slice(0, 10))
        await world.poll()
        await world.source.switchCluster(changes.slice(15))
        await halt(world, 'CLUSTER_CHANGED')
      },
      'npm run recovery -- reset --accept-loss --stage prod --region eu-central-1',
      [...range(0, 9), ...range(15, 19)],
    ],
    [
      'the cause of the halt is removed',
      async (world) => {
        await world.source.append(new Writer().inserts('shop.orders', 0, 9))
        await world.recover({ action: 'reset', to: 'earliest' })
        await world.recover({ action: 'pause' })
        await assert.rejects(world.poll(), { code: 'STREAM_HALTED' })
      },
      'npm run recovery -- resume --stage prod --region eu-central-1',
      range(0, 9),
    ],
  ]
  for (const [what, arrange, command, expected] of situations) {
    test(`can run the command that inspect prints: ${what}`, async (t) => {
      const { world, shell } = await start(t)
      await arrange(world)
      const [look = ''] = readmeCommands()
      const printed = (await shell(look)).trimEnd().split('\n').at(-1)?.trim() ?? ''
      assert.equal(printed, command)
      await shell(printed)
      await world.pollToEnd()
      assert.deepEqual(world.ids('orders'), expected)
    })
  }

  test('can run the command that a dry run prints', async (t) => {
    const { world, shell } = await start(t)
    await world.source.append(new Writer().inserts('shop.orders', 0, 9))
    await world.poll()
    const printed = (
      await shell('npm run recovery -- reset --to-offset 6 --dry-run --stage prod --region eu-central-1')
    ).trimEnd()
    await shell(printed.split('\n').at(-1) ?? '')
    await world.pollToEnd()
    assert.deepEqual(world.ids('orders'), [...range(0, 9), ...range(6, 9)])
  })

  test('gets the next command from a refusal', async (t) => {
    const { world, shell } = await start(t)
    await world.source.append(new Writer().inserts('shop.orders', 0, 9))
    await world.poll()
    await world.source.replaceLog(new Writer('other').inserts('shop.orders', 0, 9))
    await halt(world, 'LOG_CHANGED')
    await assert.rejects(
      shell('npm run recovery -- resume --stage prod --region eu-central-1'),
      (error: { stdout?: string }) => {
        assert.match(
          error.stdout ?? '',
          /^LOG_CHANGED: .*\n\n(?:.*\n)*To move the checkpoint then:\n {2}npm run recovery -- reset --stage prod --region eu-central-1$/m,
        )
        return true
      },
    )
  })

  test('learns from the error which flag names the region', async (t) => {
    const { shell } = await start(t)
    await assert.rejects(shell('npm run recovery -- inspect --stage prod'), {
      code: 2,
      stderr: /The region of dts-functions-prod-recovery is unknown: give --region, or set AWS_REGION\./,
    })
  })

  test('gets exit code 1 from a replay that fails half-way, and the command that continues', async (t) => {
    const { world, shell } = await start(t)
    await world.source.append(new Writer().inserts('shop.orders', 0, 9))
    await world.poll()
    const refuse = ({ what }: { what: number | string }) => {
      if (what === 6) throw new Error('not today')
    }
    world.onChange = refuse
    const where = '--stage prod --region eu-central-1'
    let printed = ''
    const asked = `npm run recovery -- replay --table shop.orders --from-offset 4 --to-offset 8 ${where}`
    await assert.rejects(shell(asked), (error: { code?: number; stdout?: string }) => {
      printed = error.stdout?.trimEnd().split('\n').at(-1)?.trim() ?? ''
      return error.code === 1
    })
    assert.equal(
      printed,
      `npm run recovery -- replay --table shop.orders --from-offset 6 --to-offset 8 ${where}`,
    )
    world.onChange = () => {}
    await shell(printed)
    assert.deepEqual(world.ids('orders'), [...range(0, 9), 4, 5, 6, 7])
  })
})
