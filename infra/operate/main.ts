#!/usr/bin/env node
/** `npx dts-functions <command>`, in a service that installs the package. */

// Older versions also lack modules that the commands import, so this file imports nothing before the check.
if (process.features.typescript) {
  const { runCommand } = await import('./commands.ts')
  process.exitCode = await runCommand(process.argv.slice(2))
} else {
  console.error(`dts-functions needs Node.js 22.18 or later. This is ${process.versions.node}.`)
  process.exitCode = 1
}
