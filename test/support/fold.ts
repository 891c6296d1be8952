import { foldText } from '../../lib/dispatch/fold-text.ts'

export interface FoldedText {
  readonly text: string
  readonly fold: string
}

const latin = [...'abcdefghijklmnopqrstuvwxyz']

/** Every character up to U+FFFF that has a fold, the empty text, and all pairs of Latin letters: collations expand some characters. */
export function foldedTexts(): FoldedText[] {
  const characters = Array.from({ length: 0xffff }, (_, at) => String.fromCharCode(at + 1)).filter((one) =>
    one.isWellFormed(),
  )
  const pairs = latin.flatMap((one) => latin.map((other) => one + other))
  return ['', ...characters, ...pairs].flatMap((text) => {
    const fold = foldText(text)
    return fold === null ? [] : [{ text, fold }]
  })
}

const ideographOrSyllable = /[\u3400-\u9fff\uac00-\ud7a3]/

/** Without ideographs and syllables, of which there are 40,000. */
export const fewTexts = (): FoldedText[] =>
  foldedTexts().filter(({ text }) => !ideographOrSyllable.test(text))

/** The groups of texts that an ICU collation treats as equal at its coarsest level and that have several folds. */
export function splitBy(locale: string, texts: readonly FoldedText[]): string[][] {
  const { compare } = new Intl.Collator(locale, { sensitivity: 'base' })
  const sorted = texts.toSorted((one, other) => compare(one.text, other.text))
  const groups: string[][] = []
  for (let from = 0, to = 0; from < sorted.length; from = to) {
    const folds = new Set<string>()
    while (to < sorted.length && compare(sorted[from]?.text ?? '', sorted[to]?.text ?? '') === 0)
      folds.add(sorted[to++]?.fold ?? '')
    if (folds.size > 1) groups.push(sorted.slice(from, to).map(({ text }) => text))
  }
  return groups
}
