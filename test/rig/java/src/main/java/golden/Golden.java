package golden;

import com.aliyun.dts.subscribe.clients.formats.avro.Field;
import com.aliyun.dts.subscribe.clients.formats.avro.Operation;
import com.aliyun.dts.subscribe.clients.formats.avro.Record;
import com.aliyun.dts.subscribe.clients.formats.avro.Source;
import com.aliyun.dts.subscribe.clients.formats.avro.SourceType;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.EncoderFactory;
import org.apache.avro.specific.SpecificDatumWriter;

/** One record of the corpus: what is written into it, by which its expected reading is stated. */
final class Golden {
  final String name;
  final Operation operation;
  SourceType sourceType = SourceType.MySQL;
  String sourceVersion = "8.0.36";
  int version = 1;
  long id;
  long sourceTimestamp;
  String sourcePosition = "154@1";
  String safeSourcePosition = "120@1";
  String sourceTxid = "1";
  /** As on the wire. */
  String objectName;
  /** The names that it stands for: database, schema or null, table. Null where there is no table. */
  List<String> table;
  List<Long> processTimestamps;
  final Map<String, String> tags = new LinkedHashMap<>();
  final List<Cell> cells = new ArrayList<>();
  /** A DDL statement, written as the after image. */
  String statement;
  /** The last field of newer records, milliseconds; null leaves it out, as older versions do. */
  Long bornTimestamp;
  /** What a later version might add behind it. */
  byte[] laterBytes = new byte[0];

  Golden(String name, Operation operation) {
    this.name = name;
    this.operation = operation;
  }

  Golden source(SourceType type, String version) {
    this.sourceType = type;
    this.sourceVersion = version;
    return this;
  }

  Golden table(String wireName, String database, String schema, String table) {
    this.objectName = wireName;
    this.table = new ArrayList<>();
    this.table.add(database);
    this.table.add(schema);
    this.table.add(table);
    return this;
  }

  Golden tag(String key, String value) {
    tags.put(key, value);
    return this;
  }

  Golden cell(String name, Type type, Value before, Value after) {
    cells.add(new Cell(name, type.name(), type.number(), before, after));
    return this;
  }

  boolean hasBefore() {
    return operation == Operation.UPDATE || operation == Operation.DELETE;
  }

  boolean hasAfter() {
    return operation == Operation.INSERT || operation == Operation.UPDATE || operation == Operation.INIT;
  }

  /** The Kafka value: the datum by the SDK's schema, and the last field, which its schema does not know. */
  byte[] encode() {
    Object fields = null;
    Object before = null;
    Object after = statement;
    if (!cells.isEmpty()) {
      fields = cells.stream().map(c -> new Field(c.name(), c.typeNumber())).toList();
      if (hasBefore()) before = written(cells.stream().map(Cell::before).toList());
      if (hasAfter()) after = written(cells.stream().map(Cell::after).toList());
    }
    Record record = new Record(version, id, sourceTimestamp, sourcePosition, safeSourcePosition, sourceTxid,
        new Source(sourceType, sourceVersion), operation, objectName, processTimestamps, tags, fields, before, after);
    try {
      ByteArrayOutputStream out = new ByteArrayOutputStream();
      BinaryEncoder encoder = EncoderFactory.get().binaryEncoder(out, null);
      new SpecificDatumWriter<Record>(Record.getClassSchema()).write(record, encoder);
      if (bornTimestamp != null) encoder.writeLong(bornTimestamp);
      encoder.flush();
      out.write(laterBytes);
      return out.toByteArray();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static List<Object> written(List<Value> values) {
    List<Object> written = new ArrayList<>();
    for (Value value : values) written.add(value.written());
    return written;
  }
}
