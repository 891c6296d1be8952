package golden;

import com.alibaba.fastjson.JSONObject;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Properties;
import java.util.concurrent.Future;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * `Produce <bootstrap> <topic> <records file> [<user> <password>]`: writes the corpus into partition 0, in order,
 * each record at its own second from {@link Catalogue#START} on. Prints `produced <n>`.
 */
public final class Produce {
  private Produce() {}

  public static void main(String[] args) throws Exception {
    Properties config = new Properties();
    config.setProperty(ProducerConfig.BOOTSTRAP_SERVERS_CONFIG, args[0]);
    config.setProperty(ProducerConfig.KEY_SERIALIZER_CLASS_CONFIG, ByteArraySerializer.class.getName());
    config.setProperty(ProducerConfig.VALUE_SERIALIZER_CLASS_CONFIG, ByteArraySerializer.class.getName());
    config.setProperty(ProducerConfig.ACKS_CONFIG, "all");
    config.setProperty(ProducerConfig.MAX_IN_FLIGHT_REQUESTS_PER_CONNECTION, "1");
    if (args.length > 3) {
      config.setProperty("security.protocol", "SASL_PLAINTEXT");
      config.setProperty("sasl.mechanism", "PLAIN");
      config.setProperty("sasl.jaas.config", String.format(
          "org.apache.kafka.common.security.plain.PlainLoginModule required username=\"%s\" password=\"%s\";",
          args[3], args[4]));
    }
    List<JSONObject> lines = Lines.read(args[2]);
    List<Future<RecordMetadata>> sent = new ArrayList<>();
    try (KafkaProducer<byte[], byte[]> producer = new KafkaProducer<>(config)) {
      for (int i = 0; i < lines.size(); i++) {
        byte[] value = Base64.getDecoder().decode(lines.get(i).getString("bytes"));
        sent.add(producer.send(new ProducerRecord<>(args[1], 0, (Catalogue.START + i) * 1000, null, value)));
      }
      for (Future<RecordMetadata> each : sent) each.get();
    }
    System.out.println("produced " + sent.size());
  }
}
