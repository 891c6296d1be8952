import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, globSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { given, type Resources, readResources } from '../support/packaged.ts'
import { declared, installLinked, type Published, packRepository } from '../support/published.ts'
import { type CommandResult, runNode } from '../support/run-node.ts'
import { copyService } from '../support/service-copy.ts'

/** Some steps of the preparation take a minute on a busy machine. */
const busyMachine = { timeout: 180_000 }

describe('the package that npm pack writes', () => {
  let published: Published
  let written: string
  before(async () => {
    published = await packRepository()
  }, busyMachine)
  before(async () => {
    // Where npx installs it.
    const cache = join(published.folder, 'cache')
    installLinked(published, cache)
    const main = join(cache, 'node_modules/dts-functions/dist/infra/operate/main.js')
    const { code, output } = await runNode(published.folder, [main, 'init', 'shop-changes'])
    assert.equal(code, 0, output)
    written = output
    installLinked(published, service(), declared(join(service(), 'package.json')))
  }, busyMachine)
  let packaged: CommandResult
  before(async () => {
    packaged = await runNode(service(), [program, 'package', '--package', join(service(), 'out')], given)
  }, busyMachine)
  let own: Resources
  before(async () => {
    own = await packageHere(join(service(), 'functions/tables/orders.ts'))
  }, busyMachine)
  after(() => published.remove())

  const service = () => join(published.folder, 'shop-changes')
  const program = 'node_modules/serverless/bin/serverless.js'

  test('contains compiled files with types and source maps, and neither sources, tests nor rigs', () => {
    const files = readdirSync(published.package, { recursive: true, encoding: 'utf8' })
    for (const part of ['lib/index', 'functions/poller', 'functions/recovery', 'infra/functions']) {
      for (const ending of ['.js', '.js.map', '.d.ts'])
        assert.ok(files.includes(`dist/${part}${ending}`), part)
    }
    // Errors and comments of the package name these pages.
    for (const page of ['docs/deploy.md', 'docs/runbook/README.md', 'CHANGELOG.md'])
      assert.ok(files.includes(page), page)
    // The page of the console is built: the package has neither its sources nor a bundler.
    for (const name of ['index.html', 'page.js', 'page.css'])
      assert.ok(files.includes(`dist/infra/page/browser/${name}`), name)
    const template = /^dist\/infra\/init\/service\//
    const wrong = files.filter(
      (file) =>
        !template.test(file) && (/(?<!\.d)\.ts$/.test(file) || /(^|\/)(test|bench|local|rig)\//.test(file)),
    )
    assert.deepEqual(wrong, [])
    assert.ok(!files.some((file) => file.startsWith('lib')))
    const map = readFileSync(join(published.package, 'dist/lib/handler/fence.js.map'), 'utf8')
    assert.match(map, /"sourcesContent":\["/)
  })

  test('declares every package that its files import', () => {
    const known = new Set([...declared(join(published.package, 'package.json')), 'dts-functions'])
    const imported = new Map<string, string>()
    for (const file of globSync('dist/**/*.{js,d.ts}', { cwd: published.package })) {
      const text = readFileSync(join(published.package, file), 'utf8')
      for (const [, name = ''] of text.matchAll(
        /(?:^(?:import|export|\}) .*from |^import |\bimport\()'([^'.][^']*)'/gm,
      )) {
        const [first = '', second = ''] = name.split('/')
        if (!isBuiltin(name)) imported.set(first.startsWith('@') ? `${first}/${second}` : first, file)
      }
    }
    assert.ok(imported.has('zod') && imported.has('kafkajs') && imported.has('aws-lambda'))
    const types = (name: string) => known.has(`@types/${name}`)
    assert.deepEqual(
      [...imported].filter(([name]) => !known.has(name) && !types(name)),
      [],
    )
  })

  test('writes a service of at most 40 lines of configuration, and names the next commands', async () => {
    assert.match(written, /cd shop-changes\n.*npm install && npm test/)
    const yaml = readFileSync(join(service(), 'serverless.yml'), 'utf8')
    assert.ok(yaml.trimEnd().split('\n').length <= 40)
  })

  test('writes a service whose own test passes', async () => {
    const { code, output } = await runNode(service(), ['--test', '--test-reporter=tap', 'test/**/*.test.ts'])
    assert.match(output, /^# pass 2$/m)
    assert.equal(code, 0, output)
  })

  test('writes a service that compiles with the package’s types', async () => {
    const typed = await runNode(service(), ['node_modules/typescript/bin/tsc'])
    assert.deepEqual([typed.code, typed.output], [0, ''])
  })

  test('writes a service that packages the same stack as this repository', async () => {
    assert.equal(packaged.code, 0, packaged.output)
    const artifacts = join(service(), 'out')
    assert.deepEqual(globSync('*.zip', { cwd: artifacts }).sort(), [
      'orders.zip',
      'poller.zip',
      'recovery.zip',
    ])
    assert.deepEqual(withoutArtifacts(readResources(artifacts)), withoutArtifacts(own))
  })

  test('serves the built page of the console, without a bundler', async () => {
    const { said, stop } = await startConsole(service())
    try {
      const [, address] = /^The page of shop-changes-prod-recovery is (\S+)$/m.exec(said) ?? []
      for (const [name, part] of [
        ['', /<script type="module" src="page\.js">/],
        ['page.js', /EventSource/],
        ['page.css', /prefers-color-scheme/],
      ] as const)
        assert.match(await (await fetch(`${address}${name}`)).text(), part)
    } finally {
      await stop()
    }
  })

  test('reads the service’s name for its commands', async () => {
    const main = 'node_modules/dts-functions/dist/infra/operate/main.js'
    // Without a region nothing is sent.
    const { code, output } = await runNode(service(), [main, 'inspect', '--stage', 'prod'])
    assert.equal(code, 2)
    assert.match(output, /The region of shop-changes-prod-recovery is unknown/)
    const wrong = await runNode(service(), [main, 'fix'])
    assert.match(wrong.output, /there is no action fix\n\nnpx dts-functions <action> \[flags\]/)
    // Prices and coefficients are no code.
    const cost = await runNode(service(), [main, 'cost', '--changes-per-day', '1000', '--tables', '2'], {})
    assert.equal(cost.code, 0, cost.output)
    assert.match(cost.output, /^a month +\$\d/m)
  })
})

/** `npx dts-functions console` of the service. @returns the address of its page, and a function that ends it */
async function startConsole(service: string) {
  const main = 'node_modules/dts-functions/dist/infra/operate/main.js'
  const parameters = [main, 'console', '--stage', 'prod', '--region', 'eu-central-1']
  const child = spawn(process.execPath, parameters, { cwd: service, stdio: ['ignore', 'pipe', 'inherit'] })
  const exited = once(child, 'exit')
  const [text] = await once(child.stdout.setEncoding('utf8'), 'data')
  return {
    said: String(text),
    async stop() {
      child.kill('SIGTERM')
      await exited
    },
  }
}

/** What this repository packages under the same name, with the one handler. */
async function packageHere(handler: string) {
  const copy = copyService()
  try {
    const tables = join(copy.folder, 'functions/tables')
    rmSync(tables, { recursive: true })
    cpSync(handler, join(tables, 'orders.ts'))
    const file = join(copy.folder, 'serverless.yml')
    writeFileSync(file, readFileSync(file, 'utf8').replace(/^service: .*$/m, 'service: shop-changes'))
    const artifacts = join(copy.folder, 'out')
    const { code, output } = await copy.serverless(['package', '--package', artifacts], given)
    assert.equal(code, 0, output)
    return readResources(artifacts)
  } finally {
    copy.remove()
  }
}

/** The resources as text, without the folder of the artefacts, whose name contains the time. */
function withoutArtifacts(resources: object): unknown {
  const text = JSON.stringify(resources).replaceAll(/"serverless\/shop-changes\/dev\/[^/"]*\//g, '"')
  return JSON.parse(text)
}
