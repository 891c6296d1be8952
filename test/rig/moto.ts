import { join } from 'node:path'
import type { AwsEndpoint } from '../../infra/local/dynalite.ts'
import { freePort } from '../../infra/local/ports.ts'
import { scratchDirectory, startProcess, whenReady } from './process.ts'
import { pythonEnvironment } from './tools.ts'

/** Starts moto, an emulator of AWS services, as an empty server. */
export async function startMoto(): Promise<AwsEndpoint> {
  const python = join(await pythonEnvironment(), 'bin/python')
  const port = await freePort()
  const server = startProcess({
    name: 'moto',
    command: python,
    args: ['-m', 'moto.server', '-H', '127.0.0.1', '-p', String(port)],
    scratch: scratchDirectory('moto'),
  })
  const endpoint = `http://127.0.0.1:${port}`
  await whenReady('moto', server, async () => {
    const answer = await fetch(`${endpoint}/moto-api/data.json`, { signal: AbortSignal.timeout(10_000) })
    if (!answer.ok) throw new Error(`${answer.url} answers ${answer.status}`)
    await answer.arrayBuffer()
  })
  return { endpoint, stop: server.stop }
}
