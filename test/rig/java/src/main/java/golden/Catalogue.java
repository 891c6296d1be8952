package golden;

import static golden.Value.of;
import static golden.Values.*;

import com.aliyun.dts.subscribe.clients.formats.avro.EmptyObject;
import com.aliyun.dts.subscribe.clients.formats.avro.Operation;
import com.aliyun.dts.subscribe.clients.formats.avro.SourceType;
import java.util.ArrayList;
import java.util.List;

/** All records of the corpus, in order. */
final class Catalogue {
  private Catalogue() {}

  /** The time of the first record, in seconds; each further record is one second later. */
  static final long START = 1_700_000_000L;

  private static final Type KEY = Type.of("BIGINT", 8);

  static List<Golden> records() {
    List<Golden> all = new ArrayList<>();
    perType(all, "mysql", SourceType.MySQL, "8.0.36", MySql.types());
    perType(all, "charset", SourceType.MySQL, "8.0.36", Charsets.types());
    perType(all, "postgresql", SourceType.PostgreSQL, "14.8", Postgres.types());
    perType(all, "oracle", SourceType.Oracle, "19c", Others.oracle());
    perType(all, "sqlserver", SourceType.SQLServer, "2019", Others.sqlServer());
    perType(all, "db2", SourceType.DB2, "11.5", Others.db2());
    perType(all, "drds", SourceType.DRDS, "5.4.12", Others.drds());
    wide(all);
    operations(all);
    names(all);
    headers(all);
    versions(all);
    for (int i = 0; i < all.size(); i++) {
      Golden g = all.get(i);
      if (g.id == 0) g.id = 1000 + i;
      if (g.sourceTimestamp == 0) g.sourceTimestamp = START + i;
    }
    return all;
  }

  /** An INSERT for each value, and one record in which the column becomes null, or is null. */
  private static void perType(List<Golden> all, String group, SourceType source, String version, List<Type> types) {
    boolean schemas = source != SourceType.MySQL && source != SourceType.DRDS;
    for (Type type : types) {
      Value last = type.values().get(type.values().size() - 1);
      for (Value value : type.values()) {
        all.add(row(group + "/" + type.name() + "/" + value.label(), Operation.INSERT, source, version, schemas,
            type, null, value));
      }
      if (group.equals("charset")) continue;
      String name = group + "/" + type.name() + "/";
      all.add(all.size() % 2 == 0
          ? row(name + "update to null", Operation.UPDATE, source, version, schemas, type, last, Value.NULL)
          : row(name + "delete of null", Operation.DELETE, source, version, schemas, type, Value.NULL, null));
    }
  }

  private static Golden row(String name, Operation operation, SourceType source, String version, boolean schemas,
      Type type, Value before, Value after) {
    Golden g = new Golden(name, operation).source(source, version).tag("pk_uk_info", "{\"PRIMARY\":[\"id\"]}");
    if (schemas) g.table("shop.sales.orders", "shop", "sales", "orders");
    else g.table("shop.orders", "shop", null, "orders");
    Value key = of("key", integer(8, "42"), big("42"));
    if (source == SourceType.Oracle) {
      g.cell("id", Type.of("NUMBER", 2), of("key", decimal("42", 38, 0), "42"), of("key", decimal("42", 38, 0), "42"));
    } else {
      g.cell("id", KEY, key, key);
    }
    g.cell("value", type, before, after);
    g.bornTimestamp = 1_700_000_000_123L;
    return g;
  }

  /** A row of all MySQL types at once, changed and unchanged, whole and in part. */
  private static void wide(List<Golden> all) {
    for (Operation operation : List.of(Operation.INSERT, Operation.UPDATE, Operation.DELETE, Operation.INIT)) {
      Golden g = new Golden("wide/" + operation, operation).table("shop.wide", "shop", null, "wide")
          .tag("pk_uk_info", "{\"PRIMARY\":[\"c0\"]}");
      int n = 0;
      for (Type type : MySql.types()) {
        List<Value> values = type.values();
        g.cell("c" + n++, type, values.get(0), values.get(values.size() - 1));
      }
      all.add(g);
    }
    // A minimal image: the key before, the changed column after.
    Value absent = of("none", empty(EmptyObject.NONE), ABSENT);
    all.add(new Golden("wide/UPDATE with minimal images", Operation.UPDATE).table("shop.orders", "shop", null, "orders")
        .tag("pk_uk_info", "{\"PRIMARY\":[\"id\"],\"uk_sku\":[\"sku\"]}")
        .cell("id", KEY, of("", integer(8, "7"), big("7")), absent)
        .cell("sku", Type.of("VARCHAR", 253), absent, of("", character("utf8mb4", bytes("61")), "a"))
        .cell("note", Type.of("TEXT", 252), absent, absent));
    all.add(new Golden("wide/UPDATE of the key", Operation.UPDATE).table("shop.orders", "shop", null, "orders")
        .tag("pk_uk_info", "{\"PRIMARY\":[\"id\"]}")
        .cell("id", KEY, of("", integer(8, "7"), big("7")), of("", integer(8, "8"), big("8"))));
    Golden many = new Golden("wide/INSERT of 100 columns", Operation.INSERT).table("shop.many", "shop", null, "many");
    for (int i = 0; i < 100; i++) {
      String digits = Integer.toString(i);
      many.cell("column_" + i, Type.of("INT", 3), null, of("", integer(4, digits), num(digits)));
    }
    all.add(many);
    Golden odd = new Golden("wide/odd column names", Operation.INSERT).table("shop.odd", "shop", null, "odd");
    for (String name : List.of("__proto__", "constructor", "toString", "数量", "with space", "a.b", "$bigint", "0")) {
      odd.cell(name, Type.of("INT", 3), null, of("", integer(4, "1"), num("1")));
    }
    all.add(odd);
  }

  private static void operations(List<Golden> all) {
    for (Operation operation : Operation.values()) {
      boolean change = switch (operation) {
        case INSERT, UPDATE, DELETE, INIT, DDL -> true;
        default -> false;
      };
      if (!change) all.add(new Golden("operation/" + operation, operation));
    }
    for (SourceType source : SourceType.values()) {
      all.add(new Golden("operation/HEARTBEAT of " + source, Operation.HEARTBEAT).source(source, ""));
    }
    Golden begin = new Golden("operation/BEGIN of a transaction", Operation.BEGIN);
    begin.sourceTxid = "3e11fa47-71ca-11e1-9e33-c80aa9429562:23";
    all.add(begin);
    Golden commit = new Golden("operation/COMMIT of a transaction", Operation.COMMIT);
    commit.sourceTxid = begin.sourceTxid;
    all.add(commit);
    Golden noop = new Golden("operation/NOOP of a filter", Operation.NOOP);
    noop.sourcePosition = noop.safeSourcePosition = noop.sourceTxid = "";
    all.add(noop);
    ddl(all, "without object", null, null, "CREATE DATABASE `新` DEFAULT CHARACTER SET utf8mb4");
    ddl(all, "of a database", "shop", null, "DROP DATABASE shop");
    ddl(all, "of a table", "shop.orders", List.of("shop", "orders"), "ALTER TABLE `orders` ADD COLUMN `n` int -- 备注\n");
    ddl(all, "of no text", "shop.orders", List.of("shop", "orders"), "");
  }

  private static void ddl(List<Golden> all, String label, String objectName, List<String> names, String statement) {
    Golden g = new Golden("operation/DDL " + label, Operation.DDL);
    g.objectName = objectName;
    if (names != null) g.table(objectName, names.get(0), null, names.get(1));
    g.statement = statement;
    all.add(g);
  }

  private static Golden insert(String name) {
    return new Golden(name, Operation.INSERT).table("shop.orders", "shop", null, "orders")
        .cell("id", KEY, null, of("", integer(8, "1"), big("1")));
  }

  private static void names(List<Golden> all) {
    all.add(insert("name/dot in database and table").table("my\\u002Eshop.or\\u002Eders", "my.shop", null, "or.ders"));
    all.add(insert("name/only a dot").table("shop.\\u002E", "shop", null, "."));
    all.add(insert("name/dot at the end").table("shop.orders\\u002E", "shop", null, "orders."));
    all.add(insert("name/two dots").table("shop.a\\u002E\\u002Eb", "shop", null, "a..b"));
    all.add(insert("name/another escape stays").table("shop.a\\u002Fb", "shop", null, "a\\u002Fb"));
    all.add(insert("name/lower case is no escape").table("shop.a\\u002eb", "shop", null, "a\\u002eb"));
    all.add(insert("name/half an escape").table("shop.a\\u002", "shop", null, "a\\u002"));
    all.add(insert("name/not ASCII").table("商店.订单", "商店", null, "订单"));
    all.add(insert("name/spaces and quotes").table("my shop.`or'ders\"", "my shop", null, "`or'ders\""));
    all.add(insert("name/schema").source(SourceType.PostgreSQL, "14.8").table("shop.public.orders", "shop", "public", "orders"));
    all.add(insert("name/dot in schema").source(SourceType.SQLServer, "2019").table("shop.d\\u002Ebo.orders", "shop", "d.bo", "orders"));
    all.add(insert("name/logical names of a shard").source(SourceType.DRDS, "5.4").table("shop_0001.orders_03", "shop_0001", null, "orders_03")
        .tag("l_db_name", "shop").tag("l_tb_name", "orders"));
    all.add(insert("name/logical names equal to the real ones").tag("l_db_name", "shop").tag("l_tb_name", "orders"));
    all.add(insert("key/none"));
    all.add(insert("key/empty tag").tag("pk_uk_info", ""));
    all.add(insert("key/no keys").tag("pk_uk_info", "{}"));
    all.add(insert("key/primary and unique").cell("sku", Type.of("INT", 3), null, of("", integer(4, "2"), num("2")))
        .tag("pk_uk_info", "{\"PRIMARY\":[\"id\"],\"uk_sku\":[\"sku\"]}"));
    all.add(insert("key/of two columns").cell("a.b", Type.of("INT", 3), null, of("", integer(4, "2"), num("2")))
        .tag("pk_uk_info", "{\"PRIMARY\":[\"id\",\"a.b\"]}"));
    all.add(insert("key/unique only").tag("pk_uk_info", "{\"uk\":[\"id\"]}"));
    all.add(insert("tags/many").tag("traceid", "0b1a").tag("thread_id", "17").tag("readerThroughoutTime", "1700000000123")
        .tag("metaVersion", "1").tag("中", "文").tag("", ""));
  }

  private static void headers(List<Golden> all) {
    for (long id : new long[] {1, -1, 9007199254740993L, Long.MAX_VALUE, Long.MIN_VALUE}) {
      Golden g = insert("header/id " + id);
      g.id = id;
      all.add(g);
    }
    for (int version : new int[] {0, -1, Integer.MAX_VALUE, Integer.MIN_VALUE}) {
      Golden g = insert("header/version " + version);
      g.version = version;
      all.add(g);
    }
    for (long time : new long[] {1, -1, 4102444800L, 1700000000123L}) {
      Golden g = insert("header/time " + time);
      g.sourceTimestamp = time;
      all.add(g);
    }
    Golden g = insert("header/positions");
    g.sourcePosition = "4294967295@999999";
    g.safeSourcePosition = "";
    g.sourceTxid = "事务😀";
    g.processTimestamps = List.of(0L, -1L, Long.MAX_VALUE, Long.MIN_VALUE);
    all.add(g);
    Golden none = insert("header/no process timestamps in the list");
    none.processTimestamps = List.of();
    all.add(none);
    Golden longest = insert("header/long position");
    longest.sourcePosition = "9".repeat(300);
    all.add(longest);
  }

  private static void versions(List<Golden> all) {
    all.add(insert("version/without the last field"));
    Golden born = insert("version/with the last field");
    born.bornTimestamp = 1_700_000_000_123L;
    all.add(born);
    Golden largest = insert("version/largest last field");
    largest.bornTimestamp = Long.MAX_VALUE;
    all.add(largest);
    Golden later = insert("version/with one byte more");
    later.bornTimestamp = 0L;
    later.laterBytes = bytes("00");
    all.add(later);
    Golden muchLater = insert("version/with many bytes more");
    muchLater.bornTimestamp = 1L;
    muchLater.laterBytes = bytes("ff ff ff ff ff ff ff ff ff ff ff ff");
    all.add(muchLater);
    Golden ddl = new Golden("version/DDL with bytes behind it", Operation.DDL);
    ddl.statement = "SELECT 1";
    ddl.bornTimestamp = 2L;
    ddl.laterBytes = bytes("80 01 41");
    all.add(ddl);
  }
}
