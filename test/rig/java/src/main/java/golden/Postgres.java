package golden;

import static golden.Value.of;
import static golden.Values.*;

import java.nio.charset.StandardCharsets;
import java.util.List;

/** PostgreSQL's types, numbered by their OIDs. */
final class Postgres {
  private Postgres() {}

  private static Value integer(String digits, int precision) {
    return of(digits, Values.integer(precision, digits), big(digits));
  }

  private static Value small(String digits, int precision) {
    return of(digits, Values.integer(precision, digits), num(digits));
  }

  private static Value exact(String digits, int precision, int scale) {
    return of(digits.length() > 40 ? "long" : digits, decimal(digits, precision, scale), digits);
  }

  private static Value real(String literal, int precision) {
    return of(literal, floating(Double.parseDouble(literal), precision, 0), num(literal));
  }

  private static Value notFinite(double value, int precision) {
    return of(Double.toString(value), floating(value, precision, 0), special(Double.toString(value)));
  }

  private static Value chars(String text) {
    return of(text.isEmpty() ? "empty" : text, character("utf8", text.getBytes(StandardCharsets.UTF_8)), text);
  }

  private static Value object(String type, String text) {
    return of(text.isEmpty() ? "empty" : text, text(type, text), text);
  }

  private static Type textual(String name, int number, String... samples) {
    return new Type(name, number, java.util.Arrays.stream(samples).map(s -> object("TEXT", s)).toList());
  }

  static List<Type> types() {
    return List.of(
        Type.of("smallint", 21, small("-32768", 2), small("32767", 2)),
        Type.of("integer", 23, small("-2147483648", 4), small("2147483647", 4)),
        Type.of("bigint", 20, integer("-9223372036854775808", 8), integer("9223372036854775807", 8)),
        Type.of("oid", 26, integer("4294967295", 4)),
        Type.of("numeric", 1700,
            exact("0", 10, 0), exact("-12345.67890", 10, 5), exact("1" + "0".repeat(99) + ".5", 101, 1),
            of("NaN", decimal("NaN", 0, 0), "NaN"), of("Infinity", decimal("Infinity", 0, 0), "Infinity"),
            of("-Infinity", decimal("-Infinity", 0, 0), "-Infinity")),
        Type.of("money", 790, exact("-92233720368547758.08", 19, 2)),
        Type.of("real", 700, real("1.5", 4), real("-3.4028234663852886E38", 4),
            notFinite(Double.NaN, 4), notFinite(Double.POSITIVE_INFINITY, 4), notFinite(Double.NEGATIVE_INFINITY, 4)),
        Type.of("double precision", 701, real("0.1", 8), real("4.9E-324", 8), real("1.7976931348623157E308", 8),
            notFinite(Double.NaN, 8), notFinite(Double.POSITIVE_INFINITY, 8), notFinite(Double.NEGATIVE_INFINITY, 8)),
        Type.of("boolean", 16, object("BOOL", "true"), object("BOOL", "false")),
        Type.of("text", 25, chars("naïve 中文 😀"), chars(""), object("TEXT", "as a text object")),
        Type.of("character varying", 1043, chars("中文")),
        Type.of("character", 1042, chars("x  ")),
        Type.of("name", 19, chars("pg_class")),
        Type.of("bytea", 17,
            of("bytes", binary("BYTEA", bytes("00 ff 80 5c")), hex(bytes("00 ff 80 5c"))),
            of("empty", binary("BYTEA", new byte[0]), hex(new byte[0]))),
        textual("bit", 1560, "1"),
        textual("bit varying", 1562, "10110011", ""),
        Type.of("date", 1082,
            of("plain", date(2024, 2, 29), "2024-02-29"), of("largest year of four digits", date(9999, 12, 31), "9999-12-31"),
            of("five digits", date(10000, 1, 1), "10000-01-01")),
        Type.of("time", 1083,
            of("plain", time(23, 59, 59, 999999), "23:59:59.999999"), of("midnight", time(0, 0, 0, 0), "00:00:00"),
            of("end of day", time(24, 0, 0, 0), "24:00:00")),
        Type.of("time with time zone", 1266,
            of("east", zoned(time(8, 9, 10, 123456), "GMT+08:00"), "08:09:10.123456 GMT+08:00"),
            of("west", zoned(time(8, 9, 10, 0), "GMT-03:30"), "08:09:10 GMT-03:30")),
        Type.of("timestamp", 1114,
            of("plain", dateTime(2024, 5, 17, 8, 9, 10, 123456), "2024-05-17 08:09:10.123456"),
            of("whole second", dateTime(2024, 5, 17, 8, 9, 10, 0), "2024-05-17 08:09:10"),
            of("as Timestamp", timestamp(1715933350L, 123456), "2024-05-17T08:09:10.123456Z"),
            of("before 1970", timestamp(-1L, 500000), "1969-12-31T23:59:59.500000Z"),
            of("far past", timestamp(-62135596800L, 0), "0001-01-01T00:00:00.000000Z")),
        Type.of("timestamp with time zone", 1184,
            of("UTC", zoned(dateTime(2024, 5, 17, 8, 9, 10, 123456), "UTC"), "2024-05-17 08:09:10.123456 UTC"),
            of("GMT+8:00", zoned(dateTime(2024, 5, 17, 8, 9, 10, 0), "GMT+8:00"), "2024-05-17 08:09:10 GMT+8:00"),
            of("GMT+08:00", zoned(dateTime(2024, 5, 17, 8, 9, 10, 0), "GMT+08:00"), "2024-05-17 08:09:10 GMT+08:00"),
            of("GMT-03:30", zoned(dateTime(2024, 12, 31, 23, 0, 0, 1), "GMT-03:30"),
                "2024-12-31 23:00:00.000001 GMT-03:30"),
            of("+14:00", zoned(dateTime(2024, 1, 1, 0, 0, 0, 0), "+14:00"), "2024-01-01 00:00:00 +14:00"),
            of("GMT", zoned(dateTime(2024, 2, 29, 12, 0, 0, 0), "GMT"), "2024-02-29 12:00:00 GMT"),
            of("named zone", zoned(dateTime(2024, 2, 29, 12, 0, 0, 0), "Asia/Shanghai"),
                "2024-02-29 12:00:00 Asia/Shanghai"),
            of("no zone", zoned(dateTime(2024, 2, 29, 12, 0, 0, 0), ""), "2024-02-29 12:00:00")),
        textual("interval", 1186, "1 year 2 mons 3 days 04:05:06.789", "-00:00:01"),
        Type.of("uuid", 2950, object("UUID", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")),
        Type.of("json", 114, object("JSON", "{\"a\": 1,  \"a\": 2}")),
        Type.of("jsonb", 3802, object("JSON", "{\"a\": 2}")),
        Type.of("xml", 142, object("XML", "<a b=\"1\">é</a>")),
        Type.of("point", 600, of("as text", wkt("POINT", "(1,2)"), "(1,2)"),
            of("as WKB", wkb("POINT", MySql.POINT), hex(MySql.POINT))),
        textual("line", 628, "{1,-1,0}"),
        textual("lseg", 601, "[(0,0),(1,1)]"),
        textual("box", 603, "(1,1),(0,0)"),
        textual("path", 602, "((0,0),(1,1))"),
        textual("polygon", 604, "((0,0),(1,1),(1,0))"),
        textual("circle", 718, "<(0,0),5>"),
        textual("cidr", 650, "192.168.0.0/16"),
        textual("inet", 869, "192.168.0.1/24", "::1"),
        textual("macaddr", 829, "08:00:2b:01:02:03"),
        textual("macaddr8", 774, "08:00:2b:01:02:03:04:05"),
        textual("tsvector", 3614, "'a':1 'cat':2"),
        textual("tsquery", 3615, "'fat' & 'rat'"),
        textual("int4range", 3904, "[1,10)", "empty"),
        textual("tstzrange", 3910, "[\"2024-01-01 00:00:00+00\",)"),
        textual("integer[]", 1007, "{1,2,NULL}", "{}"),
        textual("text[]", 1009, "{a,\"b c\",\"\"}"),
        textual("pg_lsn", 3220, "16/B374D848"),
        textual("txid_snapshot", 2970, "10:20:10,14,15"),
        Type.of("enum type", 16500, object("ENUM", "happy")),
        textual("hstore", 16600, "\"a\"=>\"1\""),
        textual("composite type", 16700, "(1,\"a b\")"));
  }
}
