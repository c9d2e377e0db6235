//! The subcommands that need no broker: output, exit codes, mistakes.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Runs `gateway` with `arguments`, `input` on its standard input.
fn gateway(arguments: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_gateway"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary was built for this test");
    let mut stdin = child.stdin.take().expect("standard input is piped");
    let input = input.to_vec();
    // A command that reads nothing closes its end first, which is no failure of the test.
    let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().expect("the command ends");
    writer.join().expect("the writer does not panic");
    output
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("output is text")
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("messages are text")
}

/// A file of this test run, under a name of its own.
fn file(name: &str, content: &[u8]) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("cli-{}-{name}", std::process::id()));
    std::fs::write(&path, content).expect("the directory for test files is writable");
    path
}

fn shipped(name: &str) -> String {
    format!("{}/../policies/{name}", env!("CARGO_MANIFEST_DIR"))
}

const EXAMPLE: &str = "version = 1\n[[rule]]\nid = \"cards\"\ndetectors = [\"credit_card\"]\nlevel = \"regulated\"\n\
                       mask = { operator = \"keep\", first = 6, last = 4 }\n\
                       [[rule]]\nid = \"no-ssn\"\ndetectors = [\"us_ssn\"]\nlevel = \"regulated\"\n\
                       topics = [\"hr.*\"]\nverdict = \"block\"\n";

#[test]
fn scan_prints_one_object_per_record() {
    let policy = file("scan.toml", EXAMPLE.as_bytes());
    let input = b"{\"ts\":17,\"pan\":\"4111 1111 1111 1111\"}\nplain\n\n\xff 4111 1111 1111 1111";

    let output = gateway(&["scan", "--policy", &policy.display().to_string()], input);

    let expected = [
        r#"{"index":0,"level":"regulated","verdict":"forward","findings":[{"detector":"credit_card","rule":"cards","start":16,"end":35}],"output":"{\"ts\":17,\"pan\":\"4111 11** **** 1111\"}"}"#,
        r#"{"index":1,"level":"public","verdict":"forward","findings":[],"output":"plain"}"#,
        r#"{"index":2,"level":"public","verdict":"forward","findings":[],"output":""}"#,
        r#"{"index":3,"level":"regulated","verdict":"forward","findings":[{"detector":"credit_card","rule":"cards","start":2,"end":21}],"output_base64":"/yA0MTExIDExKiogKioqKiAxMTEx"}"#,
    ];
    assert_eq!(stdout(&output).lines().collect::<Vec<_>>(), expected);
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn a_blocked_record_has_no_output() {
    let policy = file("block.toml", EXAMPLE.as_bytes());
    let arguments = ["scan", "--policy", &policy.display().to_string(), "--topic", "hr.staff"];

    let output = gateway(&arguments, b"{\"ssn\":\"536-22-1847\"}\n");

    let expected = r#"{"index":0,"level":"regulated","verdict":"block","findings":[{"detector":"us_ssn","rule":"no-ssn","start":8,"end":19}],"output":null}"#;
    assert_eq!(stdout(&output).trim_end(), expected);
}

#[test]
fn a_field_of_json_lines_is_decoded_first() {
    let input = "{\"id\":1,\"payload\":\"pan \\u0034111 1111 1111 1111\"}\n";
    let arguments = ["scan", "--policy", &shipped("default.toml"), "--jsonl-field", "payload"];
    let output = gateway(&arguments, input.as_bytes());
    let record: serde_json::Value = serde_json::from_str(&stdout(&output)).expect("one JSON object");
    assert_eq!(record["findings"][0]["start"], 4);
    assert_eq!(record["output"], "pan 4111 11** **** 1111");

    let output = gateway(&arguments, b"{\"payload\":\"x\"}\n{\"other\":1}\n");
    assert_eq!(stderr(&output), "standard input:2: no string in field `payload`\n");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn threads_change_nothing_but_the_time() {
    let lines: String =
        (0..5000).map(|n| format!("{{\"n\":{n},\"mail\":\"user{n}@example.com\"}}\n")).collect();
    let input = file("lines.jsonl", lines.as_bytes()).display().to_string();
    let run = |threads| {
        let arguments = ["scan", "--policy", &shipped("default.toml"), "--threads", threads, &input];
        stdout(&gateway(&arguments, b""))
    };
    let one = run("1");
    assert_eq!(one.lines().count(), 5000);
    assert!(one == run("3"), "three threads print what one prints");
}

#[test]
fn quiet_prints_the_speed_alone() {
    let arguments = ["scan", "--policy", &shipped("default.toml"), "--quiet"];
    let output = gateway(&arguments, b"mail jane.doe@example.com\nnothing\n");
    let message = stderr(&output);
    let line = message.lines().last().expect("one line");
    assert!(line.starts_with("records=2 bytes=32 findings=1 seconds="), "{line}");
    assert!(line.ends_with(" GB/s per thread"), "{line}");
    assert_eq!(stdout(&output), "");
}

#[test]
fn detectors_are_listed_one_a_line() {
    let output = gateway(&["detectors"], b"");
    let text = stdout(&output);
    let fixed = "credit_card us_ssn email iban phone ipv4 ipv6 aws_access_key_id github_token jwt private_key slack_token";
    for id in fixed.split(' ') {
        let line = text.lines().find(|line| line.split_whitespace().next() == Some(id));
        assert_eq!(line.map(|line| line.split_whitespace().count()), Some(4), "{id}");
    }
}

#[test]
fn policy_tests_name_the_table_that_failed() {
    let names = ["default", "payment-cards", "secrets-only", "health-records", "eu-personal-data"];
    let policies = names.map(|name| shipped(&format!("{name}.toml")));
    let arguments: Vec<&str> =
        ["policy", "test"].into_iter().chain(policies.iter().map(String::as_str)).collect();
    let output = gateway(&arguments, b"");
    assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(0), ""));

    let failing = format!("{EXAMPLE}[[test]]\nrecord = \"4111 1111 1111 1111\"\nlevel = \"public\"\n");
    let policy = file("failing.toml", failing.as_bytes()).display().to_string();
    let output = gateway(&["policy", "test", &policy], b"");
    assert_eq!(stderr(&output), format!("{policy}:13:1: level: expected `public`, found `regulated`\n"));
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn explain_says_why_and_why_not_without_the_values() {
    let policy = file("explain.toml", EXAMPLE.as_bytes()).display().to_string();
    let input = b"pan 4111 1111 1111 1111, 4111 1111 1111 1112\n";

    let output = gateway(&["explain", "--policy", &policy], input);
    let text = stdout(&output);
    let lines: Vec<&str> = text.lines().filter(|line| !line.contains("pattern `")).collect();
    let expected = [
        "record 0: regulated, forward",
        "  4..23 \"4111 11** **** 1111\" credit_card",
        "      validator card accepted it; context word `pan` at 0..3",
        &format!("      rule cards ({policy}:2), masked by keep"),
        "  25..44 \"**** **** **** ****\" no credit_card: validator card refused it",
    ];
    assert_eq!(lines, expected);

    let output = gateway(&["explain", "--policy", &policy, "--json", "--show-values"], input);
    let record: serde_json::Value = serde_json::from_str(&stdout(&output)).expect("one JSON object");
    assert_eq!(record["findings"][0]["value"], "4111 1111 1111 1111");
    assert_eq!(record["findings"][0]["rule"]["line"], 2);
    assert_eq!(record["near_misses"][0]["reason"], "validator card refused it");
}

#[test]
fn the_schema_of_policies_is_printed() {
    let output = gateway(&["policy", "schema"], b"");
    let schema: serde_json::Value = serde_json::from_str(&stdout(&output)).expect("a JSON document");
    assert_eq!(schema["properties"]["version"]["const"], 1);
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn check_reports_every_mistake_or_prints_the_effective_file() {
    let policy =
        file("check.toml", EXAMPLE.replace("credit_card", "credit_crad").as_bytes()).display().to_string();
    let output = gateway(&["check", "--policy", &policy], b"");
    assert!(
        stderr(&output)
            .starts_with(&format!("{policy}:4:14: no detector is named `credit_crad`; did you mean"))
    );
    assert_eq!(output.status.code(), Some(1));

    let config = format!(
        "policy = {:?}\n[[listener]]\nname = \"a\"\nprotocol = \"kafka\"\nbind = \"127.0.0.1:9092\"\n\
         advertised_host = \"localhost\"\nbroker_port_base = 9100\nupstream = [\"127.0.0.1:9093\"]\n",
        shipped("default.toml")
    );
    let config = file("gateway.toml", config.as_bytes()).display().to_string();
    let output = gateway(&["check", "--config", &config], b"");
    assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(0), ""));
    assert!(stdout(&output).contains("\non_error = \"reject\"\n"));
}

#[test]
fn check_says_that_what_is_held_is_blocked() {
    let rule = |id, rest| format!("[[rule]]\nid = \"{id}\"\n{rest}\n");
    let rules = [
        rule("blocks", "verdict = \"block\""),
        rule("tries", "verdict = \"hold\"\nmode = \"shadow\""),
        rule("holds", "verdict = \"hold\""),
    ];
    let policy =
        file("hold.toml", format!("version = 1\n{}", rules.concat()).as_bytes()).display().to_string();
    let output = gateway(&["check", "--policy", &policy], b"");
    let expected = format!(
        "{policy}:9:1: note: rule `holds` has the verdict `hold`: there are no reviewers yet, so what it holds is \
         blocked at once, by reject\n"
    );
    assert_eq!((output.status.code(), stderr(&output)), (Some(0), expected));
}

#[test]
fn check_names_the_detectors_that_cost_much() {
    let own = |pattern| {
        format!(
            "version = 1\n[[detector]]\nid = \"own\"\npattern = '{pattern}'\n[[rule]]\nid = \"r\"\ndetectors = [\"own\"]\n"
        )
    };
    let dear = file("dear.toml", own(r"\w+ \w+ [a-z]\w*").as_bytes()).display().to_string();
    let output = gateway(&["check", "--policy", &dear], b"");
    let message = stderr(&output);
    assert!(message.starts_with(&format!("{dear}:4:11: note: `own` (rule `r`) costs ")), "{message}");
    assert!(
        message.contains("tried at the whole pattern: begin it with text that is always there"),
        "{message}"
    );
    assert_eq!(output.status.code(), Some(0));

    let cheap = file("cheap.toml", own(r"EMP-\d{6}").as_bytes()).display().to_string();
    assert_eq!(stderr(&gateway(&["check", "--policy", &cheap], b"")), "");
}

/// The commands of the page that teaches policies, over the policy that its examples make.
#[test]
fn the_page_of_policies_shows_what_is_printed() {
    let page = include_str!("../../../docs/policies.md");
    let blocks = |kind: &str| {
        let opening = format!("```{kind}\n");
        let bodies = page.split(&opening).skip(1).map(|rest| rest.split("```").next().expect("a block ends"));
        bodies.map(str::to_owned).collect::<Vec<_>>()
    };
    let mine = file("my.toml", blocks("toml").join("\n").as_bytes()).display().to_string();
    let wrong = "version = 1\n\n[[rule]]\nid = \"cards\"\ndetectors = [\"credit_crad\"]\nlevel = \"regulated\"\n\
                 mask = { operator = \"hash\" }\n";
    let wrong = file("wrong.toml", wrong.as_bytes()).display().to_string();
    let mut shown = 0;
    for block in blocks("console") {
        let (command, printed) = block.split_once('\n').expect("a command has a line of its own");
        // The overview at the top of the page lists commands alone.
        if printed.starts_with('$') {
            continue;
        }
        let command = command.strip_prefix("$ ").expect("a command");
        let (input, command) = command.split_once(" | ").unwrap_or(("", command));
        let input = input.strip_prefix("echo '").and_then(|input| input.strip_suffix('\'')).unwrap_or("");
        let named = |name: &str| name.replace("my.toml", &mine).replace("wrong.toml", &wrong);
        let arguments: Vec<String> = command.split(' ').skip(1).map(named).collect();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let output = gateway(&arguments, format!("{input}\n").as_bytes());
        assert_eq!(format!("{}{}", stdout(&output), stderr(&output)), named(printed), "{command}");
        shown += 1;
    }
    assert_eq!(shown, 2, "commands with what they print");
}

#[test]
fn a_list_of_values_is_found_under_its_key_and_nowhere_in_clear() {
    let state = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("cli-{}-state", std::process::id()));
    std::fs::create_dir_all(&state).expect("the directory for test files is writable");
    let policy = format!(
        "version = 1\n[[detector]]\nid = \"customer\"\nvalues = \"cli-{}-c.fingerprints\"\n[[rule]]\nid = \"c\"\n\
         detectors = [\"customer\"]\nlevel = \"internal\"\nmask = {{ operator = \"redact\" }}\n[[test]]\n\
         record = \"to acme-widgets\"\noutput = \"to ****-*******\"\n",
        std::process::id()
    );
    let policy = file("listed.toml", policy.as_bytes()).display().to_string();
    let config = format!(
        "policy = {policy:?}\nstate_dir = {state:?}\n[[listener]]\nname = \"a\"\nprotocol = \"kafka\"\n\
         bind = \"127.0.0.1:9092\"\nadvertised_host = \"localhost\"\nbroker_port_base = 9100\n\
         upstream = [\"127.0.0.1:9093\"]\n"
    );
    let config = file("listed-gateway.toml", config.as_bytes()).display().to_string();
    let fingerprint = || gateway(&["policy", "fingerprint", "--config", &config], b"Acme Widgets\n");
    assert!(stderr(&fingerprint()).contains("there is no key `gateway`: declare it as [[key]]"));

    std::fs::write(state.join("gateway.key"), "0123456789abcdef0123456789abcdef\n").expect("it is writable");
    let list = stdout(&fingerprint());
    assert!(list.starts_with("gateway fingerprints 1\nkey gateway\n") && !list.contains("cme"), "{list}");
    file("c.fingerprints", list.as_bytes());
    let output = gateway(&["policy", "test", "--config", &config, &policy], b"");
    assert_eq!((stderr(&output).as_str(), output.status.code()), ("", Some(0)));
    assert_eq!(gateway(&["check", "--config", &config], b"").status.code(), Some(0));
    // A directory cannot be read as a key, not even by root.
    std::fs::rename(state.join("gateway.key"), state.join("kept")).expect("it is there");
    std::fs::create_dir(state.join("gateway.key")).expect("it is writable");
    let output = gateway(&["check", "--config", &config], b"");
    assert!(
        stderr(&output).starts_with("warning: ") && stderr(&output).contains("gateway.key: "),
        "{}",
        stderr(&output)
    );
    assert_eq!(output.status.code(), Some(1), "the list does not fit the key that stands in");
    std::fs::remove_dir(state.join("gateway.key")).expect("it is empty");
    std::fs::rename(state.join("kept"), state.join("gateway.key")).expect("it is there");
    let output = gateway(&["scan", "--policy", &policy], b"");
    assert!(stderr(&output).contains(":4:10: `") && stderr(&output).contains("(`--config`)"));
    assert_eq!(output.status.code(), Some(1));
    let wrong = gateway(&["policy", "fingerprint", "--config", &config], b"Acme (Widgets)\nx\n");
    assert!(stderr(&wrong).starts_with("standard input:1:6: between the words"), "{}", stderr(&wrong));
    assert!(!stderr(&wrong).contains("Acme") && stdout(&wrong).is_empty());
}

#[test]
fn wrong_usage_has_its_own_exit_code() {
    for arguments in [&["check"][..], &["scan"], &["scan", "--policy", "p", "--threads", "0"], &["fly"]] {
        assert_eq!(gateway(arguments, b"").status.code(), Some(2), "{arguments:?}");
    }
    assert_eq!(gateway(&["scan", "--policy", "/nonexistent.toml"], b"").status.code(), Some(1));
}
