import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;

/** Creates topics and waits until they take records. */
final class Topics {
    private static final long PATIENCE_MS = 30_000;
    private static final long POLL_MS = 50;

    /** --topic NAME[,NAME..] with --partitions, and --config name=value[,name=value..] where given. */
    static void create(Options options) throws Exception {
        Map<String, String> configs = new HashMap<>();
        for (String pair : options.text("config", "").split(",")) {
            if (!pair.isEmpty()) {
                configs.put(pair.substring(0, pair.indexOf('=')), pair.substring(pair.indexOf('=') + 1));
            }
        }
        Optional<Integer> partitions = Optional.of(options.number("partitions"));
        List<NewTopic> topics = List.of(options.text("topic").split(",")).stream()
            .map(name -> new NewTopic(name, partitions, Optional.empty()).configs(configs))
            .toList();
        try (var admin = Admin.create(options.connection())) {
            admin.createTopics(topics).all().get();
            awaitOffsets(admin, everyPartition(topics));
        }
    }

    /** The broker that is asked may hear of a topic later than the one that created it; the client gives up then. */
    private static void awaitOffsets(Admin admin, Map<TopicPartition, OffsetSpec> partitions) throws Exception {
        long deadline = System.currentTimeMillis() + PATIENCE_MS;
        while (true) {
            try {
                admin.listOffsets(partitions).all().get();
                return;
            } catch (ExecutionException failed) {
                boolean unknown = failed.getCause() instanceof UnknownTopicOrPartitionException;
                if (!unknown || System.currentTimeMillis() > deadline) {
                    throw failed;
                }
                Thread.sleep(POLL_MS);
            }
        }
    }

    /**
     * A created topic is known before its partitions take records, and what is sent in between is lost with
     * acks=0; a partition that tells its offset takes records.
     */
    private static Map<TopicPartition, OffsetSpec> everyPartition(List<NewTopic> topics) {
        Map<TopicPartition, OffsetSpec> partitions = new HashMap<>();
        for (NewTopic topic : topics) {
            for (int partition = 0; partition < topic.numPartitions(); partition++) {
                partitions.put(new TopicPartition(topic.name(), partition), OffsetSpec.earliest());
            }
        }
        return partitions;
    }
}
