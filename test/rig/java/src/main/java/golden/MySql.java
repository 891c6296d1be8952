package golden;

import static golden.Value.of;
import static golden.Values.*;

import com.aliyun.dts.subscribe.clients.formats.avro.EmptyObject;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/** MySQL's types, numbered as in the binlog. */
final class MySql {
  private MySql() {}

  private static final String DIGITS_65 = "9".repeat(65);

  static List<Type> types() {
    List<Type> types = new ArrayList<>();
    numbers(types);
    dates(types);
    texts(types);
    geometries(types);
    types.add(Type.of("VARCHAR(10) that was left out", 253,
        of("none", empty(EmptyObject.NONE), ABSENT),
        of("null symbol", empty(EmptyObject.NULL), null)));
    return types;
  }

  private static Value small(String digits, int precision) {
    return of(digits, integer(precision, digits), num(digits));
  }

  private static Value large(String digits, int precision) {
    return of(digits, integer(precision, digits), big(digits));
  }

  private static Value exact(String digits, int precision, int scale) {
    return of(digits.length() > 30 ? digits.charAt(0) + "… of " + precision + " digits, scale " + scale : digits,
        decimal(digits, precision, scale), digits);
  }

  private static Value real(String literal, int precision) {
    return of(literal, floating(Double.parseDouble(literal), precision, 0), num(literal));
  }

  private static void numbers(List<Type> types) {
    types.add(Type.of("TINYINT", 1, small("-128", 1), small("127", 1), small("0", 1)));
    types.add(Type.of("TINYINT UNSIGNED", 1, small("255", 1)));
    types.add(Type.of("BOOLEAN", 1, small("1", 1)));
    types.add(Type.of("SMALLINT", 2, small("-32768", 2), small("32767", 2)));
    types.add(Type.of("SMALLINT UNSIGNED", 2, small("65535", 2)));
    types.add(Type.of("MEDIUMINT", 9, small("-8388608", 3), small("8388607", 3)));
    types.add(Type.of("MEDIUMINT UNSIGNED", 9, small("16777215", 3)));
    types.add(Type.of("INT", 3, small("-2147483648", 4), small("2147483647", 4), small("-1", 4)));
    types.add(Type.of("INT UNSIGNED", 3, small("4294967295", 4)));
    types.add(Type.of("BIGINT", 8,
        large("-9223372036854775808", 8), large("9223372036854775807", 8), large("0", 8),
        large("-1", 8), large("9007199254740993", 8)));
    types.add(Type.of("BIGINT UNSIGNED", 8,
        large("18446744073709551615", 8), large("9223372036854775808", 8)));
    types.add(Type.of("BIT(1)", 16, large("0", 1), large("1", 1)));
    types.add(Type.of("BIT(64)", 16, large("18446744073709551615", 64), large("9223372036854775808", 64)));
    types.add(Type.of("DECIMAL", 246,
        exact("0", 10, 0), exact("-0.00", 10, 2), exact("1.10", 10, 2), exact("-12345678.90", 10, 2),
        exact(DIGITS_65, 65, 0), exact("-" + DIGITS_65, 65, 0),
        exact("0." + "0".repeat(29) + "1", 30, 30), exact("0.0000001", 10, 7)));
    types.add(Type.of("DECIMAL before 5.0", 0, exact("3.14", 3, 2)));
    types.add(Type.of("FLOAT", 4,
        real("0.0", 4), real("1.5", 4), real("-3.4028234663852886E38", 4), real("1.401298464324817E-45", 4),
        real("0.10000000149011612", 4),
        of("negative zero", floating(-0.0, 4, 0), special("-0"))));
    types.add(Type.of("DOUBLE", 5,
        real("0.1", 8), real("1.7976931348623157E308", 8), real("-1.7976931348623157E308", 8),
        real("4.9E-324", 8), real("9007199254740993", 8), real("100000000000000000000", 8)));
  }

  private static void dates(List<Type> types) {
    types.add(Type.of("TIMESTAMP", 7,
        of("epoch", timestamp(0, 0), "1970-01-01T00:00:00.000000Z"),
        of("first", timestamp(1, 0), "1970-01-01T00:00:01.000000Z"),
        of("last", timestamp(2147483647L, 999999), "2038-01-19T03:14:07.999999Z"),
        of("leap day", timestamp(1709164800L, 0), "2024-02-29T00:00:00.000000Z"),
        of("one microsecond", timestamp(1700000000L, 1), "2023-11-14T22:13:20.000001Z"),
        of("half a second", timestamp(1700000000L, 500000), "2023-11-14T22:13:20.500000Z")));
    types.add(Type.of("DATE", 10,
        of("leap day", date(2024, 2, 29), "2024-02-29"),
        of("first", date(1000, 1, 1), "1000-01-01"),
        of("last", date(9999, 12, 31), "9999-12-31"),
        of("zero", date(0, 0, 0), "0000-00-00"),
        of("zero in date", date(2024, 0, 0), "2024-00-00"),
        of("year below 1000", date(33, 4, 3), "0033-04-03")));
    types.add(Type.of("TIME", 11,
        of("midnight", time(0, 0, 0, 0), "00:00:00"),
        of("without fraction", time(23, 59, 59, null), "23:59:59"),
        of("largest", time(838, 59, 59, 0), "838:59:59"),
        of("smallest", time(-838, -59, -59, 0), "-838:59:59"),
        of("minus one second", time(0, 0, -1, 0), "-00:00:01"),
        of("minus one hour", time(-1, 0, 0, 0), "-01:00:00"),
        of("minus, mixed", time(-12, -34, -56, -789000), "-12:34:56.789000"),
        of("minus half a second", time(0, 0, 0, -500000), "-00:00:00.500000"),
        of("microseconds", time(1, 2, 3, 45), "01:02:03.000045"),
        of("a hundred hours", time(100, 0, 0, 0), "100:00:00")));
    types.add(Type.of("DATETIME", 12,
        of("first", dateTime(1000, 1, 1, 0, 0, 0, 0), "1000-01-01 00:00:00"),
        of("last", dateTime(9999, 12, 31, 23, 59, 59, 999999), "9999-12-31 23:59:59.999999"),
        of("zero", dateTime(0, 0, 0, 0, 0, 0, 0), "0000-00-00 00:00:00"),
        of("zero in date", dateTime(2024, 0, 17, 1, 2, 3, 0), "2024-00-17 01:02:03"),
        of("without fraction", dateTime(2024, 5, 17, 8, 9, 10, null), "2024-05-17 08:09:10"),
        of("one microsecond", dateTime(2024, 5, 17, 8, 9, 10, 1), "2024-05-17 08:09:10.000001"),
        of("a tenth", dateTime(2024, 5, 17, 8, 9, 10, 100000), "2024-05-17 08:09:10.100000")));
    types.add(Type.of("YEAR", 13,
        of("first", year(1901), num("1901")),
        of("last", year(2155), num("2155")),
        of("zero", year(0), num("0"))));
  }

  private static Value chars(String label, String text) {
    return of(label, character("utf8mb4", text.getBytes(StandardCharsets.UTF_8)), text);
  }

  private static Value object(String type, String label, String text) {
    return of(label, text(type, text), text);
  }

  private static void texts(List<Type> types) {
    types.add(Type.of("VARCHAR", 253,
        chars("ascii", "plain"), chars("empty", ""), chars("four bytes", "naïve 中文 😀"),
        chars("controls and quotes", "a\u0000b\n\t\"\\'\u2028"), chars("lookalike of an escape", "a\\u002Eb")));
    types.add(Type.of("VARCHAR in the old number", 15, chars("ascii", "plain")));
    types.add(Type.of("CHAR", 254, chars("trailing space", "x "), chars("empty", "")));
    types.add(Type.of("VARCHAR of 8192 bytes", 253, chars("long", "ab".repeat(4096))));
    byte[] all = new byte[256];
    for (int i = 0; i < all.length; i++) all[i] = (byte) i;
    types.add(Type.of("VARBINARY", 253,
        of("every byte", character("binary", all), hex(all)),
        of("empty", character("binary", new byte[0]), hex(new byte[0]))));
    types.add(Type.of("BINARY", 254,
        of("trailing zeros", character("binary", bytes("61 00 00")), hex(bytes("61 00 00")))));
    int number = 249;
    for (String size : new String[] {"TINY", "MEDIUM", "LONG", ""}) {
      types.add(Type.of(size + "BLOB", number,
          of("bytes", binary("BLOB", bytes("00 ff 80 0a")), hex(bytes("00 ff 80 0a"))),
          of("empty", binary("BLOB", new byte[0]), hex(new byte[0]))));
      types.add(Type.of(size + "TEXT", number,
          object("TEXT", "text", "naïve 中文 😀"), chars("as Character", "中文")));
      number++;
    }
    types.add(Type.of("ENUM", 247, object("ENUM", "member", "medium"), object("ENUM", "error value", "")));
    types.add(Type.of("SET", 248, object("SET", "members", "a,b,d"), object("SET", "none", "")));
    types.add(Type.of("JSON", 245,
        object("JSON", "object", "{\"k\": [1, 2.50, null, \"中\"], \"big\": 9007199254740993}"),
        object("JSON", "null literal", "null"), object("JSON", "string", "\"x\"")));
  }

  /** POINT(1 2), little endian. */
  static final byte[] POINT = bytes("01 01000000 000000000000f03f 0000000000000040");
  static final byte[] POINT_BIG_ENDIAN = bytes("00 00000001 3ff0000000000000 4000000000000000");
  static final byte[] LINE = bytes("01 02000000 02000000 0000000000000000 0000000000000000"
      + "000000000000f03f 000000000000f03f");
  static final byte[] POLYGON = bytes("01 03000000 01000000 04000000"
      + "0000000000000000 0000000000000000 000000000000f03f 0000000000000000"
      + "000000000000f03f 000000000000f03f 0000000000000000 0000000000000000");

  private static void geometries(List<Type> types) {
    types.add(Type.of("GEOMETRY", 255,
        of("point", wkb("POINT", POINT), hex(POINT)),
        of("point, big endian", wkb("POINT", POINT_BIG_ENDIAN), hex(POINT_BIG_ENDIAN)),
        of("line", wkb("LINESTRING", LINE), hex(LINE)),
        of("polygon", wkb("POLYGON", POLYGON), hex(POLYGON)),
        of("not WKB", wkb("GEOMETRY", bytes("ff")), hex(bytes("ff"))),
        of("as text", wkt("POINT", "POINT (1 2)"), "POINT (1 2)")));
  }
}
