package golden;

import com.aliyun.dts.subscribe.clients.ConsumerContext;
import com.aliyun.dts.subscribe.clients.DTSConsumer;
import com.aliyun.dts.subscribe.clients.DefaultDTSConsumer;
import com.aliyun.dts.subscribe.clients.common.RecordListener;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.io.Writer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.TimeZone;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * `Consume <broker> <topic> <sid> <user> <password> <checkpoint> <count> <output file>`: Alibaba's consumer in
 * ASSIGN mode from a checkpoint in seconds. Writes one line of JSON for each record that its listener gets, with
 * the record's offset, and leaves after `count` records. The SDK keeps its files in the working directory.
 */
public final class Consume {
  private Consume() {}

  /** The SDK commits between two fetches, to its file last; until then its consumer must live. */
  private static void leaveAfterCommit(ConsumerContext context) {
    Path stored = Path.of("localCheckpointStore-" + context.getGroupID());
    try {
      for (int i = 0; i < 300 && !Files.exists(stored); i++) Thread.sleep(100);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    context.exit();
  }

  public static void main(String[] args) throws IOException {
    TimeZone.setDefault(TimeZone.getTimeZone("UTC"));
    ConsumerContext context = new ConsumerContext(args[0], args[1], args[2], args[3], args[4], args[5],
        ConsumerContext.ConsumerSubscribeMode.ASSIGN);
    context.setForceUseCheckpoint(true);
    int count = Integer.parseInt(args[6]);
    AtomicInteger seen = new AtomicInteger();
    try (Writer out = Files.newBufferedWriter(Path.of(args[7]))) {
      RecordListener listener = record -> {
        if (seen.get() == count) return;
        Map<String, Object> line = new LinkedHashMap<>();
        line.put("offset", record.getOffset());
        line.putAll(Sdk.view(record));
        try {
          out.write(Write.json(line) + "\n");
          out.flush();
        } catch (IOException e) {
          throw new UncheckedIOException(e);
        }
        record.commit("");
        if (seen.incrementAndGet() == count) new Thread(() -> leaveAfterCommit(context)).start();
      };
      DTSConsumer consumer = new DefaultDTSConsumer(context);
      consumer.addRecordListeners(Collections.singletonMap("lines", listener));
      consumer.start();
    }
    // The SDK's threads would keep the process alive.
    System.exit(seen.get() == count ? 0 : 1);
  }
}
