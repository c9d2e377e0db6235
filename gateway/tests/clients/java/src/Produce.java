import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** The Java producer under the common command line of the client programs. */
final class Produce {
    static void run(Options options) throws Exception {
        var settings = options.connection();
        boolean transactional = options.has("transactional-id");
        boolean idempotent = transactional || options.has("idempotent");
        settings.put("compression.type", options.text("codec", "none"));
        settings.put("acks", options.text("acks", "all"));
        settings.put("enable.idempotence", idempotent);
        // More than one in flight reorders the retries of a producer that is not idempotent.
        settings.put("max.in.flight.requests.per.connection", idempotent ? 5 : 1);
        // With --batch long enough that all of its records share a batch.
        settings.put("linger.ms", options.has("batch") ? 500 : 5);
        if (transactional) {
            settings.put("transactional.id", options.text("transactional-id"));
        }
        try (var producer = new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer())) {
            if (transactional) {
                producer.initTransactions();
                producer.beginTransaction();
            }
            sendAll(producer, options);
            if (transactional) {
                producer.commitTransaction();
            }
        }
    }

    private static void sendAll(KafkaProducer<byte[], byte[]> producer, Options options) throws Exception {
        int batch = options.number("batch");
        int rate = options.number("rate");
        long started = System.nanoTime();
        int index = 0;
        try (var lines = Files.lines(Path.of(options.text("records")))) {
            for (String line : (Iterable<String>) lines::iterator) {
                JsonNode record = Rig.json().readTree(line);
                if (index == 1 && options.has("gate")) {
                    while (!Files.exists(Path.of(options.text("gate")))) {
                        Thread.sleep(10);
                    }
                    started = System.nanoTime();
                }
                if (rate > 0) {
                    long due = started + index * 1_000_000_000L / rate;
                    Thread.sleep(Math.max(0, (due - System.nanoTime()) / 1_000_000));
                }
                send(producer, options.text("topic"), record);
                index++;
                if (batch > 0 && index % batch == 0) {
                    producer.flush();
                }
            }
        }
        producer.flush();
    }

    private static void send(KafkaProducer<byte[], byte[]> producer, String topic, JsonNode record) {
        var message = new ProducerRecord<>(topic, bytes(record.get("key")), bytes(record.get("value")));
        for (JsonNode header : record.get("headers")) {
            message.headers().add(header.get(0).asText(), bytes(header.get(1)));
        }
        String id = record.get("id").asText();
        producer.send(message, (sent, failure) -> {
            try {
                Rig.report(failure == null ? acknowledged(id, sent.partition(), sent.offset()) : refused(id, failure));
            } catch (Exception broken) {
                throw new IllegalStateException(broken);
            }
        });
    }

    private static Map<String, Object> acknowledged(String id, int partition, long offset) {
        return Map.of("id", id, "partition", partition, "offset", offset);
    }

    private static Map<String, Object> refused(String id, Exception failure) {
        var line = new LinkedHashMap<String, Object>();
        line.put("id", id);
        line.put("error", failure.getClass().getSimpleName() + ": " + failure.getMessage());
        return line;
    }

    private static byte[] bytes(JsonNode hex) {
        return hex.isNull() ? null : Rig.unhex(hex.asText());
    }
}
