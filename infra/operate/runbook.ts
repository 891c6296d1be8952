/**
 * Writes docs/runbook: one page for each error code, out of the comments in lib/error-codes.ts, and an index.
 * `npm run runbook`; a test fails while the pages are not what this would write.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { errorCodes } from '../../lib/error-codes.ts'

const source = fileURLToPath(new URL('../../lib/error-codes.ts', import.meta.url))
const folder = fileURLToPath(new URL('../../docs/runbook/', import.meta.url))

interface Entry {
  readonly code: string
  readonly section: string
  readonly meaning: string
  readonly normal: string
  readonly run: string
}

/** File name → content. @throws Error naming the code whose comment lacks a part */
export function runbook(): Map<string, string> {
  const entries = readEntries(readFileSync(source, 'utf8'))
  const pages = new Map(entries.map((entry) => [`${entry.code}.md`, page(entry)]))
  return pages.set('README.md', index(entries))
}

function readEntries(text: string): Entry[] {
  let section = ''
  const entries: Entry[] = []
  for (const [, heading, comment, code] of text.matchAll(
    /\/\/ ── (.+) ──|\/\*\*\n((?:(?!\*\/)[\s\S])*)\*\/\n\s+'([A-Z_]+)'/g,
  )) {
    if (heading !== undefined) section = heading
    else entries.push(readEntry(section, comment ?? '', code ?? ''))
  }
  const missing = errorCodes.filter((code) => !entries.some((entry) => entry.code === code))
  if (missing.length > 0) throw new Error(`lib/error-codes.ts says nothing of ${missing.join(', ')}`)
  return entries
}

function readEntry(section: string, comment: string, code: string): Entry {
  const text = comment
    .split('\n')
    .map((line) => line.replace(/^\s*\*\s?/, ''))
    .join(' ')
    .trim()
  const parts = /^(.+?) @normal (.+?) @run (.+)$/.exec(text)
  if (parts === null) throw new Error(`The comment of ${code} needs a meaning, @normal and @run`)
  const [, meaning = '', normal = '', run = ''] = parts
  return { code, section, meaning, normal, run }
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
