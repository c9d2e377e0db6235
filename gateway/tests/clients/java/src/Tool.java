import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.kafka.common.utils.Exit;

/** Runs the main class of a Kafka tool inside this JVM and reports what it printed and its exit status. */
final class Tool {
    /** Thrown in place of the end of the JVM. */
    private static final class Exited extends Error {
        private static final long serialVersionUID = 1;
        Exited(int status) {
            super("exit status " + status, null, false, false);
        }
    }

    static void run(String[] arguments) throws Exception {
        PrintStream outBefore = System.out;
        PrintStream errBefore = System.err;
        var out = new ByteArrayOutputStream();
        var err = new ByteArrayOutputStream();
        System.setOut(new PrintStream(out, true, StandardCharsets.UTF_8));
        System.setErr(new PrintStream(err, true, StandardCharsets.UTF_8));
        // Some tools catch everything, this too, and exit again: the first status is the one that was meant.
        var first = new AtomicReference<Integer>();
        Exit.Procedure exit = (status, message) -> {
            first.compareAndSet(null, status);
            throw new Exited(status);
        };
        Exit.setExitProcedure(exit);
        Exit.setHaltProcedure(exit);
        try {
            Class.forName(arguments[0]).getMethod("main", String[].class)
                .invoke(null, (Object) Arrays.copyOfRange(arguments, 1, arguments.length));
        } catch (InvocationTargetException thrown) {
            if (!(thrown.getCause() instanceof Exited)) {
                throw new IllegalStateException(arguments[0] + " printed " + out + err, thrown.getCause());
            }
        } finally {
            System.setOut(outBefore);
            System.setErr(errBefore);
        }
        int status = Objects.requireNonNullElse(first.get(), 0);
        Rig.report(Map.of("status", status, "out", out.toString(StandardCharsets.UTF_8),
            "err", err.toString(StandardCharsets.UTF_8)));
    }
}
