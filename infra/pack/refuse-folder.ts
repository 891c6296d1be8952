/** Runs before `npm publish` of the folder. Only `npm pack` puts the published package.json into the package. */
console.error(
  'Run npm pack, then npm publish <the .tgz>: its package.json is the published one. Nothing was published.',
)
process.exitCode = 1
