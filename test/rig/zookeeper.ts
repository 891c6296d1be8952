import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { freePort } from '../../infra/local/ports.ts'
import { type RigProcess, scratchDirectory, startProcess } from './process.ts'
import { javaCommand } from './tools.ts'

/** Sessions outlive any pause of a broker, so that a broker frozen by SIGSTOP stays registered. */
export const sessionMilliseconds = 600_000

export interface ZooKeeper extends RigProcess {
  /** `host:port` */
  readonly address: string
}

/** Starts the ZooKeeper that a 2.x broker registers with. It does not wait until ZooKeeper answers: the broker does. */
export async function startZooKeeper(libraries: string): Promise<ZooKeeper> {
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
  const flags = ['-Xmx128m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1']
  const server = startProcess({
    name: 'ZooKeeper',
    command: javaCommand(),
    args: [...flags, '-cp', join(libraries, '*'), 'org.apache.zookeeper.server.ZooKeeperServerMain', file],
    scratch,
  })
  return { ...server, address }
}
