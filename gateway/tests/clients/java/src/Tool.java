import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Map;
import org.apache.kafka.common.utils.Exit;

/** Runs the main class of a Kafka tool inside this JVM and reports what it printed and its exit status. */
final class Tool {
    /** Thrown in place of the end of the JVM. */
    private static final class Exited extends Error {
        private static final long serialVersionUID = 1;
        final int status;

        Exited(int status) {
            super("exit status " + status, null, false, false);
            this.status = status;
        }
    }

    static void run(String[] arguments) throws Exception {
        PrintStream outBefore = System.out;
        PrintStream errBefore = System.err;
        var out = new ByteArrayOutputStream();
        var err = new ByteArrayOutputStream();
        System.setOut(new PrintStream(out, true, StandardCharsets.UTF_8));
        System.setErr(new PrintStream(err, true, StandardCharsets.UTF_8));
        Exit.setExitProcedure((status, message) -> {
            throw new Exited(status);
        });
        Exit.setHaltProcedure((status, message) -> {
            throw new Exited(status);
        });
        int status = 0;
        try {
            Class.forName(arguments[0]).getMethod("main", String[].class)
                .invoke(null, (Object) Arrays.copyOfRange(arguments, 1, arguments.length));
        } catch (InvocationTargetException thrown) {
            if (!(thrown.getCause() instanceof Exited exited)) {
                throw new IllegalStateException(arguments[0] + " printed " + out + err, thrown.getCause());
            }
            status = exited.status;
        } finally {
            System.setOut(outBefore);
            System.setErr(errBefore);
        }
        Rig.report(Map.of("status", status, "out", out.toString(StandardCharsets.UTF_8),
            "err", err.toString(StandardCharsets.UTF_8)));
    }
}
