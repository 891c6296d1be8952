package golden;

import com.aliyun.dts.subscribe.clients.formats.avro.BinaryGeometry;
import com.aliyun.dts.subscribe.clients.formats.avro.BinaryObject;
import com.aliyun.dts.subscribe.clients.formats.avro.DateTime;
import com.aliyun.dts.subscribe.clients.formats.avro.Decimal;
import com.aliyun.dts.subscribe.clients.formats.avro.EmptyObject;
import com.aliyun.dts.subscribe.clients.formats.avro.TextGeometry;
import com.aliyun.dts.subscribe.clients.formats.avro.TextObject;
import com.aliyun.dts.subscribe.clients.formats.avro.Timestamp;
import com.aliyun.dts.subscribe.clients.formats.avro.TimestampWithTimeZone;
import java.math.BigDecimal;
import java.nio.ByteBuffer;
import java.nio.charset.Charset;
import java.util.HexFormat;
import java.util.Map;
import org.apache.avro.generic.GenericData;

/** Values of every union branch, made of the SDK's classes, and the notation of what they must decode to. */
final class Values {
  private Values() {}

  // ── what goes into a record ──

  static Object integer(int precision, String digits) {
    return new com.aliyun.dts.subscribe.clients.formats.avro.Integer(precision, digits);
  }

  static Object character(String charset, byte[] bytes) {
    return new com.aliyun.dts.subscribe.clients.formats.avro.Character(charset, ByteBuffer.wrap(bytes));
  }

  static Object decimal(String value, int precision, int scale) {
    return new Decimal(value, precision, scale);
  }

  static Object floating(double value, int precision, int scale) {
    return new com.aliyun.dts.subscribe.clients.formats.avro.Float(value, precision, scale);
  }

  static Object timestamp(long seconds, int micros) {
    return new Timestamp(seconds, micros);
  }

  static DateTime dateTime(Integer year, Integer month, Integer day, Integer hour, Integer minute,
      Integer second, Integer micros) {
    return new DateTime(year, month, day, hour, minute, second, micros);
  }

  static DateTime date(int year, int month, int day) {
    return dateTime(year, month, day, null, null, null, null);
  }

  static DateTime time(int hour, int minute, int second, Integer micros) {
    return dateTime(null, null, null, hour, minute, second, micros);
  }

  static DateTime year(int year) {
    return dateTime(year, null, null, null, null, null, null);
  }

  static Object zoned(DateTime value, String zone) {
    return new TimestampWithTimeZone(value, zone);
  }

  static Object wkb(String type, byte[] bytes) {
    return new BinaryGeometry(type, ByteBuffer.wrap(bytes));
  }

  static Object wkt(String type, String value) {
    return new TextGeometry(type, value);
  }

  static Object binary(String type, byte[] bytes) {
    return new BinaryObject(type, ByteBuffer.wrap(bytes));
  }

  static Object text(String type, String value) {
    return new TextObject(type, value);
  }

  /** The SDK's enum as an Avro symbol: its own class has another package than its schema. */
  static Object empty(EmptyObject symbol) {
    return new GenericData.EnumSymbol(EmptyObject.getClassSchema(), symbol.name());
  }

  static byte[] bytes(String hex) {
    return HexFormat.of().parseHex(hex.replace(" ", ""));
  }

  static byte[] encoded(String javaCharset, String text) {
    ByteBuffer buffer;
    try {
      buffer = Charset.forName(javaCharset).newEncoder().encode(java.nio.CharBuffer.wrap(text));
    } catch (java.nio.charset.CharacterCodingException e) {
      throw new IllegalArgumentException(javaCharset + " cannot write the sample text", e);
    }
    byte[] out = new byte[buffer.remaining()];
    buffer.get(out);
    return out;
  }

  // ── what it must decode to ──

  /** A column that the image does not hold. */
  static final Object ABSENT = Map.of("$absent", true);

  static Object big(String digits) {
    return Map.of("$bigint", digits);
  }

  static Object hex(byte[] bytes) {
    return Map.of("$hex", HexFormat.of().formatHex(bytes));
  }

  static Object num(String digits) {
    return new BigDecimal(digits);
  }

  /** Numbers that JSON cannot write: NaN, Infinity, -Infinity, -0. */
  static Object special(String name) {
    return Map.of("$number", name);
  }
}
