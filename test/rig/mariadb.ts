import { execFile, execFileSync } from 'node:child_process'
import { chmodSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { scratchDirectory, startProcess, whenReady } from './process.ts'
import { findCommand } from './tools.ts'

const run = promisify(execFile)

export interface MariaDb {
  /** Runs a query. @returns its rows, each as the texts of its columns */
  query(sql: string): Promise<string[][]>
  stop(): Promise<void>
}

/** Debian installs the server here. Only root's PATH contains it. */
export function mariadbCommand(): string | undefined {
  return findCommand('mariadbd', ['/usr/sbin'])
}

/** Starts an empty MariaDB server. It listens only on a socket in its own directory, for this user. */
export async function startMariaDb(): Promise<MariaDb> {
  const [server, client, install] = [
    mariadbCommand(),
    findCommand('mariadb'),
    findCommand('mariadb-install-db'),
  ]
  if (server === undefined || client === undefined || install === undefined) {
    throw new Error(
      'MariaDB is not on this machine. On Debian: apt-get install -y mariadb-server-core mariadb-client-core',
    )
  }
  const scratch = scratchDirectory('mariadb')
  chmodSync(scratch, 0o700)
  const data = join(scratch, 'data')
  // The server would cut a socket path that is too long.
  const socket = join(scratch, 's')
  const asRoot = process.getuid?.() === 0 ? ['--user=root'] : []
  execFileSync(install, ['--no-defaults', `--datadir=${data}`, '--skip-test-db', ...asRoot], {
    stdio: 'pipe',
  })
  const part = startProcess({
    name: 'MariaDB',
    command: server,
    args: [
      '--no-defaults',
      ...asRoot,
      `--datadir=${data}`,
      `--socket=${socket}`,
      `--pid-file=${join(scratch, 'pid')}`,
      '--skip-networking',
      '--skip-grant-tables',
      '--innodb-buffer-pool-size=8M',
    ],
    scratch,
  })
  const query = async (sql: string): Promise<string[][]> => {
    const args = [
      '--no-defaults',
      `--socket=${socket}`,
      '--batch',
      '--skip-column-names',
      '--execute',
      sql,
      'mysql',
    ]
    const { stdout } = await run(client, args, { maxBuffer: 64 << 20 })
    return stdout
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => line.split('\t'))
  }
  await whenReady('MariaDB', part, async () => {
    await query('SELECT 1')
  })
  return { query, stop: part.stop }
}
