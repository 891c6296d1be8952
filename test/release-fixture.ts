/** `npm run release-fixture -- <version>`: bundles the current code for the tests of the next release. */
import { build } from 'esbuild'

const [version = ''] = process.argv.slice(2)
if (!/^\d+\.\d+\.\d+$/.test(version)) throw new RangeError('Give the version of the release, such as 1.2.3.')
await build({
  entryPoints: ['test/support/release-entry.ts'],
  outfile: `test/fixtures/releases/${version}.mjs`,
  bundle: true,
  packages: 'external',
  platform: 'node',
  format: 'esm',
  minify: true,
  keepNames: true,
})
