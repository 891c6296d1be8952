package golden;

import com.aliyun.dts.subscribe.clients.formats.avro.DefaultValueDeserializer;
import com.aliyun.dts.subscribe.clients.formats.avro.Record;
import com.aliyun.dts.subscribe.clients.record.DefaultUserRecord;
import com.aliyun.dts.subscribe.clients.record.RecordField;
import com.aliyun.dts.subscribe.clients.record.RecordSchema;
import com.aliyun.dts.subscribe.clients.record.RowImage;
import com.aliyun.dts.subscribe.clients.record.value.Value;
import com.aliyun.dts.subscribe.clients.record.value.ValueType;
import com.aliyun.dts.subscribe.clients.recordgenerator.AvroDeserializer;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import org.apache.kafka.common.TopicPartition;

/** What Alibaba's SDK, unmodified, makes of a record. */
final class Sdk {
  private Sdk() {}

  static Map<String, Object> view(byte[] bytes) {
    Record avro = new AvroDeserializer().deserialize(bytes);
    return view(new DefaultUserRecord(new TopicPartition("golden", 0), 0, avro, (tp, r, offset, metadata) -> {}));
  }

  /** Everything that a listener can ask the record for; where the SDK throws, `{"$throws": "…"}`. */
  static Map<String, Object> view(DefaultUserRecord record) {
    Record avro = record.getAvroRecord();
    Map<String, Object> view = new LinkedHashMap<>();
    view.put("id", attempt(() -> Long.toString(record.getId())));
    view.put("timestamp", attempt(() -> Long.toString(record.getSourceTimestamp())));
    view.put("operation", attempt(() -> record.getOperationType().toString()));
    Object schema = attempt(record::getSchema);
    if (schema instanceof RecordSchema s) {
      view.put("database", s.getDatabaseName().orElse(null));
      view.put("table", s.getTableName().orElse(null));
      view.put("primaryKey", s.getPrimaryIndexInfo() == null ? List.of()
          : s.getPrimaryIndexInfo().getIndexFields().stream().map(RecordField::getFieldName).toList());
    } else {
      view.put("schema", schema);
    }
    view.put("before", image(attempt(record::getBeforeImage), avro, avro.getBeforeImages()));
    view.put("after", image(attempt(record::getAfterImage), avro, avro.getAfterImages()));
    return view;
  }

  private static Object image(Object image, Record avro, Object raw) {
    if (image == null) return null;
    Map<String, Object> columns = new LinkedHashMap<>();
    if (image instanceof RowImage row) {
      if (raw instanceof String) return Map.of("ddl", print(row.getValue("ddl")));
      List<?> fields = (List<?>) avro.getFields();
      for (int i = 0; i < fields.size(); i++) columns.put(name(fields, i), print(row.getValue(i)));
      return columns;
    }
    // One value that the SDK refuses costs the listener the whole image; the others are asked for one by one.
    if (!(raw instanceof List<?> values) || !(avro.getFields() instanceof List<?> fields)) return image;
    columns.put("$image", image);
    for (int i = 0; i < fields.size(); i++) {
      Object value = values.get(i);
      columns.put(name(fields, i), attempt(() -> print(DefaultValueDeserializer.deserialize(value))));
    }
    return columns;
  }

  private static String name(List<?> fields, int i) {
    return ((com.aliyun.dts.subscribe.clients.formats.avro.Field) fields.get(i)).getName();
  }

  private static Object print(Value<?> value) {
    if (value == null) return null;
    // The SDK prints an object address here.
    if (value.getType() == ValueType.NONE) return Map.of("$absent", true);
    return attempt(value::toString);
  }

  private static Object attempt(Callable<Object> call) {
    try {
      return call.call();
    } catch (Exception e) {
      return Map.of("$throws", e.getClass().getName() + ": " + e.getMessage());
    }
  }
}
