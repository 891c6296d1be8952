import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { DtsError } from '../../lib/errors.ts'
import { reasonOf } from '../../lib/text/thrown.ts'

/**
 * The files of a new service, and where this package keeps them. npm reads files such as package.json and .gitignore wherever
 * they are, so those have other names here.
 */
const files: Readonly<Record<string, string>> = {
  'serverless.yml': 'service/serverless.yml',
  'package.json': 'service/package.template.json',
  'tsconfig.json': 'service/tsconfig.template.json',
  '.gitignore': 'service/gitignore',
  '.env.example': '../../.env.example',
  'functions/poller.ts': 'service/functions/poller.ts',
  'functions/recovery.ts': 'service/functions/recovery.ts',
  'functions/tables/orders.ts': 'service/functions/tables/orders.ts',
  'test/orders.test.ts': 'service/test/orders.test.ts',
}

/**
 * The service's name begins the name of each function, which Lambda limits to 64 characters, and is the package's name, which
 * npm wants in lower case.
 */
const namePattern = /^[a-z][a-z0-9-]{1,29}$/

/**
 * Writes a small service into a new or empty folder.
 * @param given.folder relative to the current folder
 * @param given.service its name; without one, the folder's
 * @returns the service's name
 * @throws DtsError CONFIG_INVALID before anything is written
 */
export async function init(given: {
  readonly folder: string
  readonly service?: string | undefined
  readonly version: string
}): Promise<string> {
  const folder = resolve(given.folder)
  const service = given.service ?? basename(folder)
  if (!namePattern.test(service)) {
    throw refused(
      `"${service}" cannot be the service's name. It has 2 to 30 characters: lower-case letters, digits and "-", with a ` +
        'letter first. Nothing was written. Choose another folder name, or give --service NAME.',
    )
  }
  await checkEmpty(folder)
  for (const [name, source] of Object.entries(files)) {
    const text = await readFile(fileURLToPath(new URL(source, import.meta.url)), 'utf8')
    const path = join(folder, name)
    await write(path, text.replaceAll('{{service}}', service).replaceAll('{{version}}', given.version))
  }
  return service
}

async function write(path: string, text: string): Promise<void> {
  try {
    await mkdir(dirname(path), { recursive: true })
    // A file that appeared in the meantime is somebody's work.
    await writeFile(path, text, { flag: 'wx' })
  } catch (cause) {
    throw refused(
      `${path} could not be written (${reasonOf(cause)}). The files before it are there. Delete the folder, then run init again.`,
      cause,
    )
  }
}

async function checkEmpty(folder: string): Promise<void> {
  const found = await readdir(folder).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') return []
    throw refused(
      `${folder} cannot be used (${reasonOf(cause)}). Nothing was written. Choose another folder.`,
      cause,
    )
  })
  // A fresh repository is empty too.
  const [first] = found.filter((name) => name !== '.git')
  if (first === undefined) return
  throw refused(`${folder} is not empty: it contains ${first}. Nothing was written. Choose a new folder.`)
}

function refused(message: string, cause?: unknown): DtsError {
  return new DtsError('CONFIG_INVALID', message, { retryable: false, cause })
}
