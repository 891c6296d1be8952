/** A part of the screen, from the top to the bottom. */
export interface Section {
  readonly lines: readonly string[]
  /** How many of its lines stay if the screen is too low. */
  readonly least: number
  /** Sections with a smaller number lose their lines first. */
  readonly rank: number
  /** Whether it loses its first lines instead of its last ones. */
  readonly keepsEnd?: boolean
}

/** Joins the sections, and leaves out lines of the least important ones so that at most `rows` are left. */
export function fit(sections: readonly Section[], rows: number): string[] {
  let over = sections.reduce((sum, { lines }) => sum + lines.length, 0) - rows
  const kept = new Map<Section, readonly string[]>(sections.map((section) => [section, section.lines]))
  for (const section of [...sections].sort((one, other) => one.rank - other.rank)) {
    const { lines, least, keepsEnd } = section
    const cut = Math.min(Math.max(0, over), Math.max(0, lines.length - least))
    if (cut === 0) continue
    over -= cut
    kept.set(section, keepsEnd ? lines.slice(cut) : lines.slice(0, lines.length - cut))
  }
  return sections.flatMap((section) => kept.get(section) ?? [])
}

/** Breaks a text into lines of at most `width` characters, at spaces if there are some. @param indent of all lines but the first */
export function wrap(text: string, width: number, indent = 0): string[] {
  const lines: string[] = []
  let rest = text
  let lead = ''
  while (lead.length + rest.length > width) {
    const room = Math.max(10, width - lead.length)
    const space = rest.lastIndexOf(' ', room)
    const end = space > 0 && rest.slice(0, space).trim() !== '' ? space : room
    lines.push(lead + rest.slice(0, end))
    rest = rest.slice(end).trimStart()
    lead = ' '.repeat(indent)
  }
  return [...lines, lead + rest]
}
