import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;

/** Creates topics. */
final class Topics {
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
        }
    }
}
