package golden;

import com.alibaba.fastjson.JSON;
import com.alibaba.fastjson.serializer.SerializerFeature;
import java.io.IOException;
import java.io.Writer;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Base64;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TimeZone;
import java.util.function.Function;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericContainer;
import org.apache.avro.generic.IndexedRecord;

/** `Write <file>`: writes the corpus, one record a line; the same bytes every time. */
public final class Write {
  private Write() {}

  public static void main(String[] args) throws IOException {
    // The SDK prints timestamps in the zone of the machine.
    TimeZone.setDefault(TimeZone.getTimeZone("UTC"));
    try (Writer out = Files.newBufferedWriter(Path.of(args[0]))) {
      for (Golden golden : Catalogue.records()) out.write(json(line(golden)) + "\n");
    }
  }

  static String json(Object value) {
    return JSON.toJSONString(value, SerializerFeature.WriteMapNullValue,
        SerializerFeature.DisableCircularReferenceDetect, SerializerFeature.WriteBigDecimalAsPlain);
  }

  private static Map<String, Object> line(Golden g) {
    byte[] bytes = g.encode();
    Map<String, Object> line = new LinkedHashMap<>();
    line.put("name", g.name);
    line.put("bytes", Base64.getEncoder().encodeToString(bytes));
    Map<String, Object> header = new LinkedHashMap<>();
    header.put("version", g.version);
    header.put("id", Values.big(Long.toString(g.id)));
    header.put("sourceTimestamp", g.sourceTimestamp);
    header.put("sourcePosition", g.sourcePosition);
    header.put("safeSourcePosition", g.safeSourcePosition);
    header.put("sourceTxid", g.sourceTxid);
    header.put("sourceType", g.sourceType.name());
    header.put("sourceVersion", g.sourceVersion);
    header.put("operation", g.operation.name());
    header.put("objectName", g.objectName);
    line.put("header", header);
    line.put("table", g.table);
    line.put("tags", g.tags);
    line.put("columns", g.cells.stream().map(c -> column(g, c)).toList());
    Map<String, Object> expected = new LinkedHashMap<>();
    expected.put("before", g.hasBefore() ? row(g, Cell::before) : null);
    expected.put("after", g.hasAfter() ? row(g, Cell::after) : null);
    expected.put("statement", g.statement);
    line.put("expected", expected);
    line.put("sdk", Sdk.view(bytes));
    return line;
  }

  private static Map<String, Object> row(Golden g, Function<Cell, Value> image) {
    Map<String, Object> row = new LinkedHashMap<>();
    for (Cell c : g.cells) {
      Object expected = image.apply(c).expected();
      if (expected != Values.ABSENT) row.put(c.name(), expected);
    }
    return row;
  }

  private static Map<String, Object> column(Golden g, Cell c) {
    Map<String, Object> column = new LinkedHashMap<>();
    column.put("name", c.name());
    column.put("type", c.typeName());
    column.put("typeNumber", c.typeNumber());
    if (g.hasBefore()) column.put("before", written(c.before().written()));
    if (g.hasAfter()) column.put("after", written(c.after().written()));
    return column;
  }

  /** The union branch and its parts, as they were given to the SDK's classes. */
  private static Object written(Object value) {
    if (value == null) return null;
    Map<String, Object> parts = new LinkedHashMap<>();
    parts.put("branch", ((GenericContainer) value).getSchema().getName());
    if (!(value instanceof IndexedRecord record)) {
      parts.put("symbol", value.toString());
      return parts;
    }
    List<Schema.Field> fields = record.getSchema().getFields();
    for (Schema.Field field : fields) parts.put(field.name(), part(record.get(field.pos())));
    return parts;
  }

  private static Object part(Object part) {
    if (part instanceof ByteBuffer buffer) return HexFormat.of().formatHex(buffer.array());
    if (part instanceof IndexedRecord) return written(part);
    if (part instanceof Double number && (number.isNaN() || number.isInfinite())) return number.toString();
    return part;
  }
}
