import java.util.HashMap;
import java.util.Map;
import java.util.Properties;

/** The common command line of the client programs: `--name value`, or `--name` alone for a switch. */
final class Options {
    private final Map<String, String> values = new HashMap<>();

    Options(String[] arguments) {
        for (int i = 0; i < arguments.length; i++) {
            String name = arguments[i].substring(2);
            boolean hasValue = i + 1 < arguments.length && !arguments[i + 1].startsWith("--");
            values.put(name, hasValue ? arguments[++i] : "true");
        }
    }

    String text(String name) {
        String value = values.get(name);
        if (value == null) {
            throw new IllegalArgumentException("--" + name + " is missing");
        }
        return value;
    }

    String text(String name, String otherwise) {
        return values.getOrDefault(name, otherwise);
    }

    int number(String name) {
        return Integer.parseInt(text(name, "0"));
    }

    boolean has(String name) {
        return values.containsKey(name);
    }

    /** Settings that every client takes: address, TLS, SASL. */
    Properties connection() {
        var settings = new Properties();
        settings.put("bootstrap.servers", text("bootstrap"));
        settings.put("client.id", "java");
        if (has("tls-ca")) {
            settings.put("ssl.truststore.type", "PEM");
            settings.put("ssl.truststore.location", text("tls-ca"));
        }
        if (has("tls-identity")) {
            settings.put("ssl.keystore.type", "PEM");
            settings.put("ssl.keystore.location", text("tls-identity"));
        }
        if (has("sasl-user")) {
            String mechanism = text("sasl-mechanism", "PLAIN");
            String module = mechanism.equals("PLAIN") ? "plain.PlainLoginModule" : "scram.ScramLoginModule";
            settings.put("sasl.mechanism", mechanism);
            settings.put("sasl.jaas.config", "org.apache.kafka.common.security." + module + " required username=\""
                + text("sasl-user") + "\" password=\"" + text("sasl-password") + "\";");
        }
        settings.put("security.protocol",
            (has("sasl-user") ? "SASL_" : "") + (has("tls-ca") ? "SSL" : "PLAINTEXT"));
        return settings;
    }
}
