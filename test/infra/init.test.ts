import assert from 'node:assert/strict'
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { init } from '../../infra/init/init.ts'
import { runCommand } from '../../infra/operate/commands.ts'
import { serviceOfFolder } from '../../infra/operate/service-name.ts'

const version = '1.2.3'
let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'dts-functions-init-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

describe('init', () => {
  test('names the service like its folder, and asks for this version of the package or a compatible one', async () => {
    assert.equal(await init({ folder: join(folder, 'shop-changes'), version }), 'shop-changes')
    const manifest = JSON.parse(readFileSync(join(folder, 'shop-changes/package.json'), 'utf8'))
    assert.deepEqual([manifest.name, manifest.dependencies['dts-functions']], ['shop-changes', '^1.2.3'])
    assert.equal(serviceOfFolder(join(folder, 'shop-changes/serverless.yml')), 'shop-changes')
  })

  test('fills a folder that contains nothing but a fresh repository', async () => {
    mkdirSync(join(folder, '.git'))
    await init({ folder, service: 'shop', version })
    assert.deepEqual(readdirSync(folder).sort(), [
      '.env.example',
      '.git',
      '.gitignore',
      'functions',
      'package.json',
      'serverless.yml',
      'test',
      'tsconfig.json',
    ])
  })

  test('refuses a folder that is not empty, and changes nothing in it', async () => {
    writeFileSync(join(folder, 'notes.txt'), 'mine')
    await assert.rejects(init({ folder, service: 'shop', version }), {
      code: 'CONFIG_INVALID',
      message: /is not empty: it contains notes\.txt\. Nothing was written/,
    })
    assert.deepEqual(readdirSync(folder), ['notes.txt'])
  })

  test('refuses a file in place of the folder', async () => {
    const file = join(folder, 'shop')
    writeFileSync(file, '')
    await assert.rejects(init({ folder: file, version }), {
      code: 'CONFIG_INVALID',
      message: /shop cannot be used \(.*ENOTDIR/,
    })
  })

  test('refuses a folder that cannot be written, with the reason', async () => {
    const link = join(folder, 'shop')
    symlinkSync(join(folder, 'nowhere'), link)
    await assert.rejects(init({ folder: link, version }), {
      code: 'CONFIG_INVALID',
      message: /shop\/serverless\.yml could not be written \(.*\)/,
    })
  })

  test('prints its usage for --help, and with exit code 2 for wrong arguments', async (t) => {
    const log = t.mock.method(console, 'log', () => {})
    const error = t.mock.method(console, 'error', () => {})
    assert.equal(await runCommand(['init', '--help']), 0)
    assert.match(String(log.mock.calls[0]?.arguments[0]), /init <folder>/)
    for (const wrong of [['init'], ['init', 'a', 'b'], ['init', 'a', '--nmae', 'x']]) {
      assert.equal(await runCommand(wrong), 2)
    }
    assert.equal(error.mock.callCount(), 3)
  })

  for (const service of [
    'Shop',
    '1shop',
    'shop_changes',
    's',
    'läden',
    'a'.repeat(31),
    '-shop',
    'shop.changes',
  ]) {
    test(`refuses the name ${service}, which functions or npm cannot have`, async () => {
      await assert.rejects(init({ folder, service, version }), {
        code: 'CONFIG_INVALID',
        message: /cannot be the service's name.*Nothing was written/,
      })
      assert.deepEqual(readdirSync(folder), [])
    })
  }

  test('asks for the versions of the tools that this repository is tested with', () => {
    const read = (file: string) => JSON.parse(readFileSync(new URL(file, import.meta.url), 'utf8'))
    const own = read('../../package.json')
    const tested: Record<string, string> = { ...own.dependencies, ...own.devDependencies }
    const { dependencies, devDependencies } = read('../../infra/init/service/package.template.json')
    for (const [name, range] of Object.entries({ ...dependencies, ...devDependencies })) {
      if (name === 'dts-functions') continue
      assert.equal(String(range).replace('^', ''), tested[name], name)
    }
  })
})

test('the service of a folder is the plain name in its serverless.yml, and unknown otherwise', () => {
  const path = join(folder, 'serverless.yml')
  const cases: [text: string, name: string | undefined][] = [
    ['service: shop # the shop\nprovider:\n  service: other', 'shop'],
    ['service: "shop-2"', 'shop-2'],
    [`service: \${env:NAME}`, undefined],
    ['provider:\n  service: other', undefined],
  ]
  assert.equal(serviceOfFolder(path), undefined)
  for (const [text, name] of cases) {
    writeFileSync(path, text)
    assert.equal(serviceOfFolder(path), name, text)
  }
})
