package golden;

import static golden.Values.*;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;

/** A sample text in every character set of MySQL. */
final class Charsets {
  private Charsets() {}

  private record Sample(String charset, byte[] bytes, String text) {
    Value value() {
      return Value.of(charset + " " + HexFormat.of().formatHex(bytes), character(charset, bytes), text);
    }
  }

  /** `javaCharset` is the right one by MySQL's manual, not the SDK's choice. */
  private static Sample sample(String charset, String javaCharset, String text) {
    return new Sample(charset, encoded(javaCharset, text), text);
  }

  /** For the sets that Java lacks, or whose odd bytes Java refuses. */
  private static Sample byHand(String charset, String hex, String text) {
    return new Sample(charset, Values.bytes(hex), text);
  }

  private static final List<Sample> SAMPLES = List.of(
      byHand("armscii8", "b4 b3 f1 bb f5", "Բարեւ"),
      sample("ascii", "US-ASCII", "plain ~ text"),
      sample("big5", "Big5", "繁體中文"),
      sample("cp1250", "windows-1250", "žluťoučký kůň €"),
      sample("cp1251", "windows-1251", "Привет €"),
      sample("cp1256", "windows-1256", "مرحبا پ"),
      sample("cp1257", "windows-1257", "Ąžuolas ņ"),
      sample("cp850", "IBM850", "Ærøskøbing ½"),
      sample("cp852", "IBM852", "žluťoučký kůň"),
      sample("cp866", "IBM866", "Привет Ё"),
      sample("cp932", "windows-31j", "日本語①～カﾅ"),
      byHand("dec8", "e9 dc d7 f7 dd fd", "éÜŒœŸÿ"),
      sample("eucjpms", "x-eucJP-Open", "日本語①"),
      sample("euckr", "EUC-KR", "한국어"),
      sample("gb18030", "GB18030", "中文😀㐀€"),
      sample("gb2312", "GB2312", "简体中文"),
      sample("gbk", "GBK", "简体繁體鎔"),
      byHand("geostd8", "c0 c1 c2 c3 c4 c5 c6", "აბგდევზ"),
      sample("greek", "ISO-8859-7", "Ελλάδα"),
      sample("hebrew", "ISO-8859-8", "שלום"),
      byHand("hp8", "c8 c5 ce cf d4 d6", "àéöüåø"),
      byHand("keybcs2", "87 a0 88 a8 91", "čáěšž"),
      sample("koi8r", "KOI8-R", "Привет Ё"),
      sample("koi8u", "KOI8-U", "Україна їєґі"),
      sample("latin1", "windows-1252", "naïve café €ž™"),
      sample("latin2", "ISO-8859-2", "žluťoučký kůň"),
      sample("latin5", "ISO-8859-9", "Türkçe ğışİ"),
      sample("latin7", "ISO-8859-13", "Ąžuolas ņ"),
      sample("macce", "x-MacCentralEurope", "žluťoučký kůň"),
      sample("macroman", "x-MacRoman", "Ærø café Ω"),
      sample("sjis", "Shift_JIS", "日本語カナ"),
      byHand("swe7", "5d 5b 5c 7d 7b 7c 60 40 7e 5e", "ÅÄÖåäöéÉüÜ"),
      sample("tis620", "TIS-620", "ภาษาไทย"),
      sample("ucs2", "UTF-16BE", "中文é"),
      sample("ujis", "EUC-JP", "日本語カナ"),
      sample("utf16", "UTF-16BE", "中文😀"),
      sample("utf16le", "UTF-16LE", "中文😀"),
      sample("utf32", "UTF-32BE", "中文😀"),
      sample("utf8", "UTF-8", "中文é"),
      sample("utf8mb3", "UTF-8", "中文é"),
      sample("utf8mb4", "UTF-8", "中文😀"));

  /** Where charsets are easily mistaken for a neighbour. */
  private static final List<Sample> CORNERS = List.of(
      byHand("latin1", "80 9f ff", "€Ÿÿ"),
      byHand("latin1", "81 8d 8f 90 9d", "\u0081\u008d\u008f\u0090\u009d"),
      byHand("utf8mb4", "ef bb bf 61", "\ufeffa"),
      byHand("utf16", "fe ff 00 61", "\ufeffa"),
      byHand("ascii", "00 7f", "\u0000\u007f"));

  static List<Type> types() {
    List<Type> types = new ArrayList<>();
    for (Sample s : SAMPLES) {
      types.add(Type.of("VARCHAR " + s.charset, 253,
          Value.of("sample", character(s.charset, s.bytes), s.text)));
    }
    types.add(new Type("VARCHAR corner", 253, CORNERS.stream().map(Sample::value).toList()));
    types.add(Type.of("VARCHAR odd", 253,
        Value.of("empty utf16", character("utf16", new byte[0]), ""),
        Value.of("empty utf32", character("utf32", new byte[0]), ""),
        Value.of("empty gbk", character("gbk", new byte[0]), ""),
        Value.of("no charset", character("", Values.bytes("00 80 ff")), hex(Values.bytes("00 80 ff"))),
        Value.of("upper case name", character("UTF8MB4", "中".getBytes(StandardCharsets.UTF_8)), "中")));
    return types;
  }
}
