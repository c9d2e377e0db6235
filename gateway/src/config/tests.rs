use super::*;

/// A directory with the files that configurations name, removed at the end.
struct Directory(PathBuf);

impl Directory {
    fn new(test: &str) -> Self {
        let path = std::env::temp_dir().join(format!("gateway-config-{test}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("the temporary directory is writable");
        let directory = Self(path);
        directory.write("policy.toml", "version = 1\n");
        directory.write("good.key", "0123456789abcdef0123456789abcdef\n");
        directory.write("short.key", "0123456789abcde\n");
        directory
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let file = self.0.join(name);
        std::fs::write(&file, text).expect("the temporary directory is writable");
        file
    }

    /// The mistakes in a configuration, without the directory.
    fn mistakes(&self, text: &str) -> Vec<String> {
        let file = self.write("gateway.toml", text);
        let prefix = format!("{}/", self.0.display());
        let mistakes = Config::load(&file).err().unwrap_or_default();
        mistakes.iter().map(|mistake| mistake.to_string().replace(&prefix, "")).collect()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

const GOOD: &str = r#"policy = "policy.toml"
[[key]]
id = "pseudonyms"
file = "good.key"
[[listener]]
name = "telemetry"
protocol = "kafka"
bind = "127.0.0.1:9092"
advertised_host = "gw.example.net"
broker_port_base = 9100
brokers = "0..31"
upstream = ["broker-1:9092"]
"#;

#[test]
fn defaults_fill_what_is_left_out_and_the_effective_file_loads_to_the_same() {
    let directory = Directory::new("defaults");
    let config = Config::load(&directory.write("gateway.toml", GOOD)).expect("the configuration is sound");
    let listener = &config.listeners[0];

    assert_eq!(config.state_dir, Path::new("/var/lib/gateway"));
    assert_eq!(config.admin.bind.to_string(), "127.0.0.1:9644");
    assert_eq!(config.workers, Workers { count: WorkerCount::Auto, io: IoKind::IoUring });
    assert_eq!((listener.inspection, listener.on_error), (true, OnError::Reject));
    assert_eq!((listener.frame_bytes_max, listener.message_bytes_max), (100 * 1024 * 1024, 1_048_588));
    assert_eq!(listener.brokers.iter().count(), 32);
    assert_eq!(listener.broker_port(31), Some(9131));
    assert!(config.keys.find("pseudonyms").is_some());

    let effective = config.to_string().replace("message_bytes_max = 1048588", "message_bytes_max = 65536");
    let again =
        Config::load(&directory.write("effective.toml", &effective)).expect("the effective file is sound");
    assert_eq!(again.to_string(), effective);
    assert!(!effective.contains("0123456789abcdef"), "a key is shown");
}

#[test]
fn workers_leave_a_core_for_control_when_there_are_more_than_two() {
    for (cores, expected) in [(1, 1), (2, 2), (3, 2), (8, 7), (200, 64)] {
        assert_eq!(WorkerCount::Auto.resolve(cores), expected, "{cores} cores");
    }
}

#[test]
fn every_mistake_has_its_place_and_says_what_is_allowed() {
    let directory = Directory::new("mistakes");
    let table = [
        (
            "policy = \"policy.toml\"",
            "policy = \"gone.toml\"",
            "gateway.toml:1:10: gone.toml: No such file or directory (os error 2)",
        ),
        ("policy = \"policy.toml\"", "policy = 7", "gateway.toml:1:10: `policy` must be a string, not 7"),
        ("policy = \"policy.toml\"", "", "gateway.toml:1:1: the file needs `policy`: a string"),
        (
            "policy = \"policy.toml\"",
            "polcy = \"policy.toml\"",
            "gateway.toml:1:1: unknown key `polcy`; did you mean `policy`? allowed: `state_dir`, `policy`, `workers`, `admin`, `key`, `listener`",
        ),
        (
            "good.key",
            "short.key",
            "gateway.toml:4:8: short.key: a key of 15 bytes is too short: 16 at least, 32 random ones are advised",
        ),
        (
            "file = \"good.key\"",
            "credential = \"x\"",
            "gateway.toml:4:14: systemd gave no credentials: set LoadCredential= in the unit, or use `file`",
        ),
        (
            "file = \"good.key\"",
            "",
            "gateway.toml:2:1: [[key]] needs `file`, or `credential` for a systemd credential",
        ),
        (
            "\"kafka\"",
            "\"kafak\"",
            "gateway.toml:7:12: `protocol` cannot be `kafak`; did you mean `kafka`? allowed: `kafka`",
        ),
        (
            "127.0.0.1:9092",
            "localhost:9092",
            "gateway.toml:8:8: `bind` cannot be `localhost:9092`: an IP address and a port, as in `0.0.0.0:9092`",
        ),
        (
            "gw.example.net",
            "gw.example.net:9092",
            "gateway.toml:9:19: `gw.example.net:9092` is no host name: a name or address without a port",
        ),
        (
            "9100",
            "70000",
            "gateway.toml:10:20: `broker_port_base` must be an integer from 1 to 65535, not 70000",
        ),
        ("9100", "65530", "gateway.toml:10:20: broker 31 would be reached at port 65530 + 31, above 65535"),
        (
            "9100",
            "9090",
            "gateway.toml:8:8: port 9092 is wanted twice: by the bootstrap of listener `telemetry` and by the brokers of listener `telemetry`",
        ),
        (
            "0..31",
            "31..0",
            "gateway.toml:11:11: `brokers` cannot be `31..0`: ascending node ids, as in `0..31` or `1..3,101..103`",
        ),
        (
            "[\"broker-1:9092\"]",
            "[\"broker-1\"]",
            "gateway.toml:12:13: `broker-1` is no upstream: a host and a port, as in `broker-1:9092`",
        ),
        (
            "[\"broker-1:9092\"]",
            "[]",
            "gateway.toml:12:12: `upstream` is empty, so nothing matches: leave it out, or name something",
        ),
        (
            "upstream = [\"broker-1:9092\"]",
            "upstream = [\"b:1\"]\non_error = \"drop\"",
            "gateway.toml:13:12: `on_error` cannot be `drop`; allowed: `reject`, `forward`",
        ),
        (
            "upstream = [\"broker-1:9092\"]",
            "upstream = [\"b:1\"]\n[listener.tls]\nkey = \"good.key\"",
            "gateway.toml:13:1: [[listener]].tls needs `certificate`: a string",
        ),
        (
            "upstream = [\"broker-1:9092\"]",
            "upstream = [\"b:1\"]\n[workers]\ncount = 0",
            "gateway.toml:14:9: `count` must be an integer from 1 to 64, not 0",
        ),
        (
            "upstream = [\"broker-1:9092\"]",
            "upstream = [\"b:1\"]\n[admin]\nbind = \"127.0.0.1:9101\"",
            "gateway.toml:8:8: port 9101 is wanted twice: by [admin] and by the brokers of listener `telemetry`",
        ),
        (
            "name = \"telemetry\"",
            "name = \"telemetry",
            "gateway.toml:6:18: invalid basic string, expected `\"`",
        ),
    ];
    for (from, to, expected) in table {
        let changed = GOOD.replacen(from, to, 1);
        assert_ne!(changed, GOOD, "{from} is in the configuration");
        let mistakes = directory.mistakes(&changed);
        assert!(mistakes.iter().any(|mistake| mistake == expected), "{to}: {mistakes:#?}");
    }
}

#[test]
fn all_mistakes_are_reported_at_once() {
    let directory = Directory::new("all");
    let changed = GOOD.replace("kafka", "http").replace("0..31", "x").replace("good.key", "short.key");
    assert_eq!(directory.mistakes(&changed).len(), 3);
}

#[test]
fn a_file_that_is_no_text_is_refused_with_its_place() {
    let directory = Directory::new("text");
    let file = directory.0.join("gateway.toml");
    std::fs::write(&file, b"policy = \"policy.toml\"\nx = \"\xff\"\n")
        .expect("the temporary directory is writable");
    let mistakes = Config::load(&file).err().unwrap_or_default();
    assert_eq!(mistakes.len(), 1);
    assert_eq!((mistakes[0].line, mistakes[0].column, mistakes[0].message.as_str()), (2, 6, "not UTF-8"));
}

#[test]
fn the_own_key_is_made_once_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;

    let directory = Directory::new("own-key");
    let state_dir = directory.0.join("state");
    let made = own_key(&state_dir).expect("the temporary directory is writable");
    let file = state_dir.join("gateway.key");
    let text = std::fs::read(&file).expect("the key was written");

    assert_eq!(made.id(), OWN_KEY);
    assert_eq!(std::fs::metadata(&file).expect("it exists").permissions().mode() & 0o777, 0o600);
    own_key(&state_dir).expect("the key that was made is a key");
    assert_eq!(std::fs::read(&file).expect("it is still there"), text);
    assert_ne!(text, [b'0'; 33], "the key is random");
    std::fs::write(&file, "").expect("the temporary directory is writable");
    let error = own_key(&state_dir).expect_err("an empty file is no key").to_string();
    assert!(error.contains("gateway.key: a key of 0 bytes is too short"), "{error}");
}
