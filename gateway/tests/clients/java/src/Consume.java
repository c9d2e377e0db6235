import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.KafkaShareConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/** Java consumers: of a group, of a share group, and of everything that a topic holds. */
final class Consume {
    private static final Duration POLL = Duration.ofMillis(500);
    private static final long PATIENCE_MS = 60_000;

    /** Reads --count records as a member of --group and commits. --group-protocol: classic or consumer (KIP-848). */
    static void group(Options options) throws Exception {
        var settings = options.connection();
        settings.put("enable.auto.commit", false);
        settings.put("group.id", options.text("group"));
        settings.put("group.protocol", options.text("group-protocol", "classic"));
        settings.put("auto.offset.reset", "earliest");
        try (var consumer = new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            consumer.subscribe(List.of(options.text("topic")));
            long deadline = System.currentTimeMillis() + PATIENCE_MS;
            int seen = 0;
            while (seen < options.number("count")) {
                check(deadline, seen);
                for (var record : consumer.poll(POLL)) {
                    report(record);
                    seen++;
                }
            }
            consumer.commitSync();
        }
    }

    /** Reads --count records as a member of the share group --group and acknowledges them (KIP-932). */
    static void share(Options options) throws Exception {
        var settings = options.connection();
        settings.put("group.id", options.text("group"));
        // The implicit mode: each poll acknowledges what the poll before it returned.
        try (var consumer =
                new KafkaShareConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            consumer.subscribe(List.of(options.text("topic")));
            long deadline = System.currentTimeMillis() + PATIENCE_MS;
            int seen = 0;
            while (seen < options.number("count")) {
                check(deadline, seen);
                for (var record : consumer.poll(POLL)) {
                    report(record);
                    seen++;
                }
            }
            consumer.commitSync();
        }
    }

    /** Reads every partition from its beginning to its present end; checks the CRC of every batch. */
    static void everything(Options options) throws Exception {
        var settings = options.connection();
        settings.put("check.crcs", true);
        settings.put("isolation.level", options.text("isolation", "read_uncommitted"));
        try (var consumer = new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            var partitions = new ArrayList<TopicPartition>();
            consumer.partitionsFor(options.text("topic"))
                .forEach(info -> partitions.add(new TopicPartition(info.topic(), info.partition())));
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            var ends = consumer.endOffsets(partitions);
            long deadline = System.currentTimeMillis() + PATIENCE_MS;
            while (partitions.stream().anyMatch(one -> consumer.position(one) < ends.get(one))) {
                check(deadline, -1);
                for (var record : consumer.poll(POLL)) {
                    report(record);
                }
            }
        }
    }

    private static void check(long deadline, int seen) {
        if (System.currentTimeMillis() > deadline) {
            throw new IllegalStateException("no progress within " + PATIENCE_MS + " ms after " + seen + " records");
        }
    }

    private static void report(ConsumerRecord<byte[], byte[]> record) throws Exception {
        var line = new LinkedHashMap<String, Object>();
        line.put("partition", record.partition());
        line.put("offset", record.offset());
        line.put("timestamp", record.timestamp());
        line.put("key", Rig.hex(record.key()));
        line.put("value", Rig.hex(record.value()));
        var headers = new ArrayList<String[]>();
        record.headers().forEach(header -> headers.add(new String[] {header.key(), Rig.hex(header.value())}));
        line.put("headers", headers);
        Rig.report(line);
    }
}
