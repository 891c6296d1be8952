import type { SourceType } from './types.ts'

/**
 * The character set that each name means. Sources use one name for different sets: `latin1` is Windows-1252 on MySQL and
 * ISO 8859-1 on PostgreSQL; `UTF8` is CESU-8 on Oracle. Names are in lower case, without `-`, `_` and blanks. The names of
 * the sets are those of charset-sets.ts.
 */
type Names = { readonly [name: string]: string }

/** Parses a list: `utf8` means `{ utf8: 'utf8' }`, and `latin2=iso8859-2` means `{ latin2: 'iso8859-2' }`. */
function names(list: string): Names {
  const pairs = list
    .trim()
    .split(/\s+/)
    .map((item) => item.split('=') as [string, string?])
  return Object.assign(
    Object.create(null),
    Object.fromEntries(pairs.map(([name, set]) => [name, set ?? name])),
  )
}

const mysql = names(`
  utf8 utf8mb3=utf8 utf8mb4=utf8 ucs2=utf16be utf16=utf16be utf16le utf32 binary ascii
  armscii8 big5 cp1250 cp1251 cp1256 cp1257 cp850 cp852 cp866 cp932 dec8 eucjpms euckr gb18030 gb2312 gbk geostd8 greek
  hebrew hp8 keybcs2 koi8r koi8u latin1 latin2 latin5 latin7 macce macroman sjis swe7 tis620 ujis`)

const postgres = names(`
  utf8 unicode=utf8 sqlascii=ascii
  latin1=iso8859-1 latin2=iso8859-2 latin3=iso8859-3 latin4=iso8859-4 latin5=iso8859-9 latin6=iso8859-10
  latin7=iso8859-13 latin8=iso8859-14 latin9=iso8859-15 latin10=iso8859-16
  win=windows-1251 alt=ibm866 win866=ibm866 abc=windows-1258 tcvn=windows-1258 tcvn5712=windows-1258 vscii=windows-1258
  koi8=koi8-r koi8r=koi8-r koi8u=koi8-u
  eucjp=eucjpms euccn=gb2312 euckr=uhc uhc johab gbk big5 sjis=cp932 mskanji=cp932 shiftjis=cp932
  win932=cp932 windows932=cp932 win936=gbk windows936=gbk win949=uhc windows949=uhc win950=big5 windows950=big5
  gb18030=gb18030-2000`)

const oracle = names(`
  al32utf8=utf8 utf8=cesu8 al24utffss=cesu8 al16utf16=utf16be al16utf16le=utf16le us7ascii=ascii
  we8iso8859p1=iso8859-1 ee8iso8859p2=iso8859-2 se8iso8859p3=iso8859-3 nee8iso8859p4=iso8859-4 cl8iso8859p5=iso8859-5
  ar8iso8859p6=iso8859-6 el8iso8859p7=iso8859-7 iw8iso8859p8=iso8859-8 we8iso8859p9=iso8859-9 ne8iso8859p10=iso8859-10
  blt8iso8859p13=iso8859-13 cel8iso8859p14=iso8859-14 we8iso8859p15=iso8859-15 th8tisascii=iso8859-11
  ee8mswin1250=windows-1250 cl8mswin1251=windows-1251 we8mswin1252=windows-1252 el8mswin1253=windows-1253
  tr8mswin1254=windows-1254 iw8mswin1255=windows-1255 ar8mswin1256=windows-1256 blt8mswin1257=windows-1257
  vn8mswin1258=windows-1258
  us8pc437=ibm437 el8pc737=ibm737 blt8pc775=ibm775 we8pc850=ibm850 ee8pc852=ibm852 ru8pc855=ibm855 tr8pc857=ibm857
  we8pc858=ibm858 we8pc860=ibm860 is8pc861=ibm861 cdn8pc863=ibm863 n8pc865=ibm865 ru8pc866=ibm866 el8pc869=ibm869
  cl8koi8r=koi8-r cl8koi8u=koi8-u we8dec=dec8 we8roman8=hp8
  ja16sjis ja16sjistilde ja16euc ja16euctilde ko16mswin949=uhc ko16ksc5601=euckr ko16ksccs=johab
  zhs16gbk=gbk-euro zhs16cgb231280=gb2312 zhs32gb18030=gb18030-2000 zht16mswin950=cp950 zht16big5=big5`)

/** By the code page of the collation. Windows maps the codes that 1252 leaves open to themselves, as MySQL does. */
const sqlServer = names(`
  latin1 cp1252=latin1 windows1252=latin1 1252=latin1 nchar=utf16le nvarchar=utf16le unicode=utf16le ucs2=utf16le
  437=ibm437 850=ibm850 874=windows-874 932=cp932 936=gbk-euro 949=uhc 950=cp950 1250=windows-1250 1251=windows-1251
  1253=windows-1253 1254=windows-1254 1255=windows-1255 1256=windows-1256 1257=windows-1257 1258=windows-1258 65001=utf8`)

/** By CCSID. */
const db2 = names(`
  1208=utf8 1200=utf16be 1202=utf16le 367=ascii
  819=iso8859-1 912=iso8859-2 913=iso8859-3 914=iso8859-4 915=iso8859-5 1089=iso8859-6 813=iso8859-7 916=iso8859-8
  920=iso8859-9 921=iso8859-13 923=iso8859-15 874=windows-874 878=koi8-r 1168=koi8-u
  437=ibm437 737=ibm737 775=ibm775 850=ibm850 852=ibm852 855=ibm855 857=ibm857 858=ibm858 866=ibm866 869=ibm869
  1250=windows-1250 1251=windows-1251 1252=windows-1252 1253=windows-1253 1254=windows-1254 1255=windows-1255
  1256=windows-1256 1257=windows-1257 1258=windows-1258
  943=ja16sjis 954=ja16euc 970=euckr 1363=uhc 1383=gb2312 1386=gbk-euro 950=cp950 1392=gb18030-2000 5488=gb18030-2000`)

/** Names of the IANA, of Java and of Windows, which any source may use. */
const common = names(`
  utf8 utf8mb3=utf8 utf8mb4=utf8 cesu8 utf16=utf16be utf16be utf16le utf32 utf32be=utf32 ascii usascii=ascii iso646us=ascii binary
  koi8r=koi8-r koi8u=koi8-u tis620=iso8859-11
  gbk cp936=gbk ms936=gbk windows936=gbk xmswin936=gbk gb2312 euccn=gb2312 gb18030
  big5 cp950 ms950=cp950 windows950=cp950 xwindows950=cp950
  eucjp=ujis shiftjis=sjis sjis cp932 ms932=cp932 windows932=cp932 windows31j=cp932 cswindows31j=cp932
  euckr ksc5601=euckr cp949=uhc ms949=uhc windows949=uhc xwindows949=uhc uhc johab cp1361=johab ms1361=johab xjohab=johab`)

/** The other sources, such as TiDB, are assumed to write MySQL's names. */
const own: { readonly [source in SourceType]?: Names } = {
  PostgreSQL: postgres,
  PPAS: postgres,
  Oracle: oracle,
  SQLServer: sqlServer,
  DB2: db2,
}

/** Numbered sets with one byte per character. */
const numbered: readonly (readonly [form: RegExp, set: string])[] = [
  [/^(?:iso)?8859(\d{1,2})$/, 'iso8859-'],
  [/^(?:windows|win|cp|ms)(874|125\d)$/, 'windows-'],
  [/^(?:cp|ibm|pc|xibm)(\d{3})$/, 'ibm'],
]

/** @returns the set that the name means on the source; undefined if the name is unknown */
export function setNamed(name: string, source: SourceType): string | undefined {
  const written = name.toLowerCase().replace(/[-_ ]/g, '')
  const known = (own[source] ?? mysql)[written] ?? common[written]
  if (known !== undefined) return known
  // DB2 also writes a prefix before a CCSID.
  const byNumber = source === 'DB2' ? db2[written.replace(/^(ibm|cp)/, '')] : undefined
  if (byNumber !== undefined) return byNumber
  for (const [form, set] of numbered) {
    const number = form.exec(written)?.[1]
    if (number !== undefined) return `${set}${number}`
  }
  return undefined
}

/**
 * Names of sets in which bytes below 0x80 are not always ASCII: national sets of seven bits such as Oracle's YUG7ASCII,
 * and Japanese sets with a yen sign. Also CCSIDs: a number alone says nothing about ASCII.
 */
const notAscii =
  /ebcdic|yen$|^(?!latin)[a-z]+7|utfe$|utf-?_?(7|16|32)|ucs|iso-?_?2022|^hz|^\d+$|^(ibm|cp|ccsid)-?_?\d+$/i

/** False if even bytes below 0x80 may not be ASCII in the set of this name. */
export function mayKeepAscii(name: string): boolean {
  return !notAscii.test(name)
}
