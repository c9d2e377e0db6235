import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Map;

/**
 * Many cases in one JVM, because each start of a JVM costs seconds: every line of standard input is a JSON array
 * of arguments, its first element the case. The answer is JSON lines, the last of them {"done":true} or
 * {"failed":"why"}.
 */
public final class Rig {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final PrintStream OUT = System.out;

    public static void main(String[] ignored) throws Exception {
        // Tools print to standard output, which belongs to the answers.
        System.setOut(System.err);
        var lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            try {
                run(JSON.readValue(line, String[].class));
                report(Map.of("done", true));
            } catch (Throwable failure) {
                failure.printStackTrace();
                report(Map.of("failed", String.valueOf(failure)));
            }
            OUT.flush();
        }
    }

    private static void run(String[] arguments) throws Exception {
        String[] rest = Arrays.copyOfRange(arguments, 1, arguments.length);
        switch (arguments[0]) {
            case "produce" -> Produce.run(new Options(rest));
            case "consume" -> Consume.group(new Options(rest));
            case "share" -> Consume.share(new Options(rest));
            case "read" -> Consume.everything(new Options(rest));
            case "create" -> Topics.create(new Options(rest));
            case "tool" -> Tool.run(rest);
            default -> throw new IllegalArgumentException("case " + arguments[0]);
        }
    }

    /** Writes one line of the answer. */
    static void report(Object value) throws Exception {
        String line = JSON.writeValueAsString(value);
        synchronized (OUT) {
            OUT.print(line + "\n");
        }
    }

    static ObjectMapper json() {
        return JSON;
    }

    static String hex(byte[] bytes) {
        return bytes == null ? null : HexFormat.of().formatHex(bytes);
    }

    static byte[] unhex(String text) {
        return text == null ? null : HexFormat.of().parseHex(text);
    }
}
