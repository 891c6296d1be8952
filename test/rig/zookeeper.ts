import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { freePort } from '../../infra/local/ports.ts'
import { type RigProcess, scratchDirectory, startProcess, whenReady } from './process.ts'
import { javaCommand } from './tools.ts'

/** Sessions outlive any pause of a broker, so that a broker frozen by SIGSTOP stays registered. */
export const sessionMilliseconds = 600_000

export interface ZooKeeper extends RigProcess {
  /** `host:port` */
  readonly address: string
}

const flags = ['-Xmx128m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1']

/** Starts the ZooKeeper that a 2.x broker registers with, and stores `clusterId` in it. */
export async function startZooKeeper(libraries: string, clusterId: string): Promise<ZooKeeper> {
  const java = javaCommand()
  const classPath = join(libraries, '*')
  const address = `127.0.0.1:${await freePort()}`
  const [clientPortAddress, clientPort] = address.split(':')
  const scratch = scratchDirectory('zookeeper')
  const settings = {
    clientPort,
    clientPortAddress,
    dataDir: join(scratch, 'data'),
    maxSessionTimeout: sessionMilliseconds,
    'admin.enableServer': false,
  }
  const file = join(scratch, 'zoo.cfg')
  writeFileSync(
    file,
    Object.entries(settings)
      .map(([key, value]) => `${key}=${value}\n`)
      .join(''),
  )
  const server = startProcess({
    name: 'ZooKeeper',
    command: java,
    args: [...flags, '-cp', classPath, 'org.apache.zookeeper.server.ZooKeeperServerMain', file],
    scratch,
  })

  // ZooKeeper's shell waits until the server is up. It is safe to repeat the commands.
  const identity = JSON.stringify({ version: '1', id: clusterId })
  const input = `create /cluster ""\ncreate /cluster/id ${identity}\nget /cluster/id\nquit\n`
  const shell = [...flags, '-cp', classPath, 'org.apache.zookeeper.ZooKeeperMain', '-server', address]
  await whenReady('ZooKeeper', server, async () => {
    const { stdout } = spawnSync(java, shell, { input, timeout: 15_000, encoding: 'utf8' })
    if (!stdout.split('\n').includes(identity)) throw new Error(`its shell answers: ${stdout.slice(-500)}`)
  })
  return { ...server, address }
}
