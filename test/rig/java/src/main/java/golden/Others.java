package golden;

import static golden.Value.of;
import static golden.Values.*;

import java.nio.charset.StandardCharsets;
import java.util.List;

/**
 * Oracle, SQL Server and DRDS. No source says how DTS numbers the types of the first two: java.sql.Types stands
 * in. `millis` are microseconds, whatever the source: the SDK reads them so.
 */
final class Others {
  private Others() {}

  private static Value chars(String label, String text) {
    return of(label, character("UTF-8", text.getBytes(StandardCharsets.UTF_8)), text);
  }

  private static Value object(String type, String text) {
    return of(text, text(type, text), text);
  }

  static List<Type> oracle() {
    return List.of(
        Type.of("NUMBER", 2,
            of("38 digits", decimal("9".repeat(38), 38, 0), "9".repeat(38)),
            of("negative scale", decimal("-1234500", 5, -2), "-1234500"),
            of("small", decimal("0.00000000000000000000000001", 38, 26), "0.00000000000000000000000001")),
        Type.of("NUMBER(10)", 2, of("integer", integer(10, "1234567890"), big("1234567890"))),
        Type.of("BINARY_FLOAT", 100, of("infinite", floating(Double.POSITIVE_INFINITY, 4, 0), special("Infinity"))),
        Type.of("BINARY_DOUBLE", 101, of("plain", floating(2.5, 8, 0), num("2.5"))),
        Type.of("VARCHAR2", 12, chars("text", "中文 é")),
        Type.of("NVARCHAR2", -9, of("AL16UTF16", character("UTF-16BE", "中文".getBytes(StandardCharsets.UTF_16BE)), "中文")),
        Type.of("CHAR", 1, chars("padded", "x   ")),
        Type.of("DATE", 91, of("with time", dateTime(2024, 5, 17, 8, 9, 10, null), "2024-05-17 08:09:10")),
        Type.of("TIMESTAMP(3)", 93, of("millis", dateTime(2024, 5, 17, 8, 9, 10, 123_000), "2024-05-17 08:09:10.123000")),
        Type.of("TIMESTAMP(6)", 93,
            of("micros", dateTime(2024, 5, 17, 8, 9, 10, 123), "2024-05-17 08:09:10.000123"),
            of("all digits", dateTime(2024, 5, 17, 8, 9, 10, 123_456), "2024-05-17 08:09:10.123456")),
        Type.of("TIMESTAMP WITH LOCAL TIME ZONE", -102,
            of("micros", timestamp(1715933350L, 123_456), "2024-05-17T08:09:10.123456Z")),
        Type.of("TIMESTAMP WITH TIME ZONE", -101,
            of("east", zoned(dateTime(2024, 5, 17, 8, 9, 10, 0), "+08:00"), "2024-05-17 08:09:10 +08:00")),
        Type.of("INTERVAL DAY TO SECOND", -104, of("text", text("XTYPE", "+02 03:04:05.000006"), "+02 03:04:05.000006")),
        Type.of("RAW", -3, of("bytes", binary("RAW", bytes("de ad be ef")), hex(bytes("de ad be ef")))),
        Type.of("LONG RAW", -4, of("bytes", binary("LONG_RAW", bytes("00 01")), hex(bytes("00 01")))),
        Type.of("BLOB", 2004, of("bytes", binary("BLOB", bytes("ff 00")), hex(bytes("ff 00")))),
        Type.of("CLOB", 2005, object("TEXT", "long text"), object("CLOB", "as CLOB")),
        Type.of("ROWID", -8, object("ROWID", "AAAR3sAAEAAAACXAAA")),
        Type.of("UROWID", -8, object("UROWID", "*BAJAAw4DwQL+")),
        Type.of("BFILE", -13, object("BFILE", "bfilename('DIR','a.txt')")),
        Type.of("XMLTYPE", 2009, object("XML", "<a/>")));
  }

  static List<Type> sqlServer() {
    return List.of(
        Type.of("bigint", -5, of("min", integer(8, "-9223372036854775808"), big("-9223372036854775808"))),
        Type.of("bit", -7, of("one", integer(1, "1"), big("1"))),
        Type.of("money", 3, of("min", decimal("-922337203685477.5808", 19, 4), "-922337203685477.5808")),
        Type.of("float", 8, of("plain", floating(-1.79E308, 53, 0), num("-1.79E308"))),
        Type.of("nvarchar", -9, chars("text", "中文 😀")),
        Type.of("varbinary", -3, of("bytes", binary("BINARY", bytes("0a 0b")), hex(bytes("0a 0b")))),
        Type.of("rowversion", -2, of("bytes", binary("BINARY", bytes("00 00 00 00 00 00 07 d1")), hex(bytes("00000000000007d1")))),
        Type.of("datetime2", 93, 
            of("one microsecond", dateTime(1, 1, 1, 0, 0, 0, 1), "0001-01-01 00:00:00.000001"),
            of("all digits", dateTime(9999, 12, 31, 23, 59, 59, 999_999), "9999-12-31 23:59:59.999999")),
        Type.of("smalldatetime", 93, of("minutes", dateTime(2079, 6, 6, 23, 59, 0, 0), "2079-06-06 23:59:00")),
        Type.of("date", 91, of("first", date(1, 1, 1), "0001-01-01")),
        Type.of("time", 92, of("micros", time(23, 59, 59, 999), "23:59:59.000999")),
        Type.of("datetimeoffset", -155,
            of("west", zoned(dateTime(2024, 5, 17, 8, 9, 10, 0), "-05:00"), "2024-05-17 08:09:10 -05:00")),
        Type.of("uniqueidentifier", 1, object("UUID", "6F9619FF-8B86-D011-B42D-00C04FC964FF")),
        Type.of("xml", -16, object("XML", "<r/>")),
        Type.of("geography", -157, of("WKT", wkt("GEOGRAPHY", "POINT (-122 47)"), "POINT (-122 47)")));
  }

  static List<Type> db2() {
    return List.of(
        Type.of("TIMESTAMP", 93, of("micros", dateTime(2024, 5, 17, 8, 9, 10, 123_456), "2024-05-17 08:09:10.123456")),
        Type.of("VARCHAR", 12, chars("text", "中文 é")));
  }

  static List<Type> drds() {
    return List.of(
        Type.of("INT", 3, of("max", integer(4, "2147483647"), num("2147483647"))),
        Type.of("BIGINT UNSIGNED", 8, of("max", integer(8, "18446744073709551615"), big("18446744073709551615"))),
        Type.of("DATETIME", 12, of("zero", dateTime(0, 0, 0, 0, 0, 0, 0), "0000-00-00 00:00:00")),
        Type.of("VARCHAR", 253, of("gbk", character("gbk", encoded("GBK", "中文")), "中文")));
  }
}
