/**
 * Folds a text so that two texts which any collation of a database treats as equal have the same result. A record does not name the
 * collation of a column, so the fold is coarser than all of them: those of MySQL and MariaDB, and those of ICU, which PostgreSQL uses
 * (except Korean, where an ideograph is the syllables of its reading). Two keys with one fold only wait for each other. The result has
 *
 * - the digits in their order, whatever their script and form, without zeros: some collations compare the numbers
 * - the set of the letters, without case, marks and width, Hiragana for Katakana
 *
 * A set, because Hungarian ccs is cscs, and ll is l. Without the letters of `interchanged`. Without marks, punctuation, blanks
 * and controls, which some collation ignores.
 * @returns null for a text with a character that is not in `covered`, or in `irregular`
 */
export function foldText(text: string): string | null {
  let digits = ''
  /** The bit of each letter from A on. */
  let latin = 0
  let others: Set<string> | null = null
  for (let at = 0; at < text.length; at++) {
    const folded = foldedUnit(text.charCodeAt(at))
    if (folded === null) return null
    latin |= folded.latin
    if (folded.digits !== '') digits += folded.digits
    for (let each = 0; each < folded.others.length; each++) {
      others ??= new Set()
      others.add(folded.others[each] as string)
    }
  }
  return `${digits} ${latinLetters(latin)}${others === null ? '' : [...others].sort().join('')}`
}

const codeOfA = 0x41

/** In the order of the alphabet. */
function latinLetters(bits: number): string {
  let letters = ''
  for (let left = bits; left !== 0; left &= left - 1)
    letters += String.fromCharCode(codeOfA + 31 - Math.clz32(left & -left))
  return letters
}

/** What one UTF-16 unit adds to the result. */
interface FoldedUnit {
  readonly digits: string
  /** As in `foldText`. */
  readonly latin: number
  readonly others: string
}

/** By UTF-16 unit. The keys of a stream consist of few of them, and most of those are Latin: an index costs less than a look-up. */
const knownLatin: (FoldedUnit | null | undefined)[] = new Array(0x250).fill(undefined)
const known = new Map<number, FoldedUnit | null>()

/**
 * Null for a unit that has no fold. Compatibility decomposition treats each unit of `covered` by itself. Marks, which it also sorts, are
 * left out.
 */
function foldedUnit(unit: number): FoldedUnit | null {
  let folded = unit < knownLatin.length ? knownLatin[unit] : known.get(unit)
  if (folded === undefined) {
    folded = divided(foldUnit(String.fromCharCode(unit)))
    if (unit < knownLatin.length) knownLatin[unit] = folded
    else known.set(unit, folded)
  }
  return folded
}

function divided(folded: string | null): FoldedUnit | null {
  if (folded === null) return null
  const all = [...folded]
  const isDigit = (one: string) => one <= '9'
  const isLatin = (one: string) => !isDigit(one) && one <= 'Z'
  return {
    digits: all.filter(isDigit).join(''),
    latin: all.filter(isLatin).reduce((bits, one) => bits | (1 << (one.charCodeAt(0) - codeOfA)), 0),
    others: all.filter((one) => one > 'Z').join(''),
  }
}

function foldUnit(unit: string): string | null {
  if (!covered.test(unit) || irregular.test(unit)) return null
  let all = ''
  for (const character of unit.normalize('NFKD')) {
    const folded = fold(character)
    if (folded === null) return null
    all += folded
  }
  return all
}

/** Latin, Greek, Russian, Hebrew, Arabic, Thai, punctuation, Kana, Han, Hangul, full and half width. */
const covered =
  /^(?:[\0-\u024f\u0370-\u0379\u037b-\u03e1\u0401\u0410-\u0451\u05d0-\u05f4\u0600-\u0669\u06f0-\u06f9\u0e00-\u0e4f\u1e00-\u1eff\u2000-\u2064\u3000-\u3002\u3008-\u3011\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3\uf900-\ufaff\uff00-\uffef]|[\u0300-\u0344])$/

/**
 * Old collations of eight-bit sets (latin2_hungarian_ci, cp1257_lithuanian_ci and others) treat these as equal to unrelated letters or
 * symbols. Collations of Unicode do the same with characters outside of `covered`: older ones treat all characters above U+FFFF as
 * equal.
 */
const irregular = /[ĆćĢģĶķĻļĽľŁłŃńŅņŔŕŖŗ²³µ¹¼½¾]/

/**
 * Letters that some collation exchanges with others: å is aa, ä is æ or ae, ö is oe, ø or œ, ü is ue or y, i is j or y (Latin,
 * Lithuanian), u is v, v is w (Latin, Swedish), ch is c, đ and ð are d, ß is s. In latin2_general_ci and cp1257_lithuanian_ci, ß, đ
 * and z are signs. Arabic has forms of alef, heh, waw and yeh, and teh is zah in cp1256_general_ci.
 */
const interchanged = new Set('AEIOUYJVWHDSZÆŒØĦÐĐßẞءاويىهةتظ')

/** Letters that are not decomposed. Some collation treats them as equal to these. */
const alike: Readonly<Record<string, string>> = {
  Þ: 'T',
  // macce_general_ci
  N: 'M',
  ך: 'כ',
  ם: 'מ',
  ן: 'נ',
  ף: 'פ',
  ץ: 'צ',
}

/** Of the scripts of `covered`, in upper case. Small Kana are mapped to large ones before. */
const letter = /^[A-ZΑ-ΩА-Яא-תء-يก-ฮか-ん\u3400-\u4dbf\u4e00-\u9fff\u1100-\u1112\u1161-\u1175\u11a8-\u11c2]$/
/** Kana vowels: ー repeats the vowel before it. */
const kanaVowel = /^[あいうえお]$/
const skipped = /^[\p{M}\p{P}\p{S}\p{Z}\p{Cc}\p{Cf}\p{Lm}]$/u
const digit = /^\p{Nd}$/u

function fold(character: string): string | null {
  if (digit.test(character)) return digitOf(character)
  if (skipped.test(character)) return ''
  const large = character === 'ß' ? character : toHiragana(character).toUpperCase()
  const base = alike[large] ?? large
  if (interchanged.has(base) || kanaVowel.test(base)) return ''
  return letter.test(base) ? base : null
}

/** The digits of a script follow each other from zero on. */
function digitOf(character: string): string {
  const code = character.charCodeAt(0)
  let value = 0
  while (value < 9 && digit.test(String.fromCharCode(code - value - 1))) value += 1
  return value === 0 ? '' : String(value)
}

const smallKana = 'ぁぃぅぇぉっゃゅょゎゕゖ'
const largeKana = 'あいうえおつやゆよわかけ'

function toHiragana(character: string): string {
  const hiragana = /^[ァ-ヶ]$/.test(character)
    ? String.fromCharCode(character.charCodeAt(0) - 0x60)
    : character
  const small = smallKana.indexOf(hiragana)
  return small === -1 ? hiragana : (largeKana[small] ?? hiragana)
}
