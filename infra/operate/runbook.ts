/**
 * Writes docs/runbook from lib/error-codes.ts: one page for each error code, and an index. `npm run runbook`.
 * A test fails if the pages are out of date.
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { type ErrorCodeEntry, errorCodes } from '../../lib/error-codes.ts'

const folder = fileURLToPath(new URL('../../docs/runbook/', import.meta.url))

interface Entry extends ErrorCodeEntry {
  readonly code: string
}

/** File name → content. */
export function runbook(): Map<string, string> {
  const entries = Object.entries(errorCodes).map(([code, entry]) => ({ code, ...entry }))
  const pages = new Map(entries.map((entry) => [`${entry.code}.md`, page(entry)]))
  return pages.set('README.md', index(entries))
}

function page({ code, section, meaning, normal, run }: Entry): string {
  return `# ${code}

*${section}*

${meaning}

**When it is normal.** ${normal}

**What to run.** ${run}

[All codes](README.md)
`
}

function index(entries: readonly Entry[]): string {
  const sections = [...new Set(entries.map(({ section }) => section))]
  const lists = sections.map((section) => {
    const lines = entries.filter((entry) => entry.section === section)
    return `## ${section}\n\n${lines.map(({ code, meaning }) => `- [${code}](${code}.md): ${meaning}`).join('\n')}\n`
  })
  return `# Runbook

What each error code means, when it is normal, and what to run. Generated from lib/error-codes.ts by \`npm run runbook\`.

${lists.join('\n')}`
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  for (const [name, content] of runbook()) writeFileSync(folder + name, content)
}
