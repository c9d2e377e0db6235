//! What a running gateway says of itself: its pages, and its last words for the log of a failed test.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

/// The answer for a page of the admin endpoint, with its head.
pub(crate) fn page(admin: SocketAddr, path: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(admin)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// The reasons for which it has refused something, with how often.
pub(crate) fn refusals(admin: SocketAddr) -> io::Result<Vec<String>> {
    Ok(refusals_in(&page(admin, "/metrics")?))
}

/// What it has refused and the end of its log: enough to understand a failed test from the log of CI alone.
pub(crate) fn last_words(admin: SocketAddr, log: &Path) -> String {
    let refused = refusals(admin).unwrap_or_else(|error| vec![format!("unknown: /metrics: {error}")]);
    let text = fs::read_to_string(log).unwrap_or_else(|error| format!("{}: {error}", log.display()));
    format!(
        "---- refused: {} reasons\n{}\n---- last {LINES} lines of the log\n{}",
        refused.len(),
        refused.join("\n"),
        last_lines(&text)
    )
}

fn refusals_in(metrics: &str) -> Vec<String> {
    let lines = metrics.lines().filter(|line| line.starts_with("gateway_refused_total{"));
    lines.filter(|line| !line.ends_with(" 0")).map(str::to_owned).collect()
}

fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LINES)..].join("\n")
}

const LINES: usize = 100;
/// A gateway that hangs must not take the test with it.
const PATIENCE: Duration = Duration::from_secs(10);

#[test]
fn last_words_are_bounded_and_name_what_was_refused() {
    let metrics = "gateway_refused_total{reason=\"tls\"} 0\ngateway_refused_total{reason=\"policy\"} 10\n";
    assert_eq!(refusals_in(metrics), ["gateway_refused_total{reason=\"policy\"} 10"]);
    let log = (0..1000).map(|line| format!("line {line}\n")).collect::<String>();
    assert!(last_lines(&log).starts_with("line 900\n") && last_lines(&log).ends_with("line 999"));
}
