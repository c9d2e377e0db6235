//! `cargo xtask tidy`: the rules of the house that a command can check.
//!
//! Everything that git would commit is looked at. Each violation is one line, `file:line: what is wrong`.

use crate::command::{command, root};
use anyhow::{Context, Result, ensure};
use std::fs;

/// Crate modules that may not name what stands behind them: (beginning of the path, forbidden, reason).
const DIRECTIONS: &[(&str, &[&str], &str)] = &[
    ("gateway/src/protocol/", PURE, "protocol is pure: no I/O, no clock, no runtime"),
    ("gateway/src/classify/", PURE, "classify is pure: no I/O, no clock, no runtime"),
    ("gateway/src/mask/", PURE, "mask is pure: no I/O, no clock, no runtime"),
    ("gateway/src/policy/", PURE, "policy is pure: no I/O, no clock, no runtime"),
    ("gateway/src/inspect/", PURE, "inspect is pure: no I/O, no clock, no runtime"),
    ("gateway/src/document.rs", PURE, "document is pure: no I/O, no clock, no runtime"),
    ("gateway/src/diagnostic.rs", PURE, "diagnostic is pure: no I/O, no clock, no runtime"),
    ("gateway/src/json.rs", PURE, "json is pure: no I/O, no clock, no runtime"),
    ("gateway/src/escape.rs", PURE, "escape is pure: no I/O, no clock, no runtime"),
    ("gateway/src/pairs.rs", PURE, "pairs is pure: no I/O, no clock, no runtime"),
    ("gateway/src/payload.rs", PURE, "payload is pure: no I/O, no clock, no runtime"),
    (
        "gateway/src/worker/",
        &["crate::control", "tokio::"],
        "workers meet the control thread in mailbox only",
    ),
    ("gateway/src/control", &["crate::worker"], "the control thread meets workers in mailbox only"),
];

/// Where planes meet by design: (file, what it may name).
const MEETINGS: &[(&str, &str)] = &[
    // The control thread starts the workers.
    ("gateway/src/control/start.rs", "crate::worker"),
    // A worker wakes the control thread.
    ("gateway/src/worker/mod.rs", "tokio::"),
];

/// What pure modules may not name. Nor several modules in one line: `use std::{fs, thread}` would hide what it names.
const PURE: &[&str] = &[
    "crate::worker",
    "crate::control",
    "tokio::",
    "io_uring::",
    "std::fs",
    "TcpStream",
    "std::thread",
    "Instant::now",
    "SystemTime",
    "std::{",
    "crate::{",
];

/// Files that may contain unsafe code.
const UNSAFE_FILES: &[&str] = &[
    "gateway/src/worker/driver/uring",
    "gateway/src/worker/driver/tcp_info.rs",
    "gateway/src/worker/buffers.rs",
    "gateway/src/classify/simd.rs",
    "gateway/src/classify/hyperscan.rs",
    "gateway/src/steering/mapping.rs",
    "gateway-ebpf/",
    // A counting allocator.
    "gateway/tests/allocations/counting.rs",
];

/// Left-overs that no commit may have.
const LEFT_OVERS: &[&str] = &["todo!(", "unimplemented!(", "dbg!(", "#[ignore"];

/// Paths of one machine, which mean nothing on another.
const MACHINE_PATHS: &[&str] = &["/home/", "/root/", "/var/tmp/", "/work/"];

/// Lines of a file, without its tests, above which it should be split.
const FILE_LINES_MAX: usize = 700;

/// A file of the repository.
struct File {
    path: String,
    text: String,
}

/// Checks all rules and reports every violation.
///
/// # Errors
///
/// When at least one rule is violated.
pub(crate) fn run() -> Result<()> {
    let files = files()?;
    let violations: Vec<String> = files.iter().flat_map(violations).collect();
    for violation in &violations {
        eprintln!("{violation}");
    }
    ensure!(violations.is_empty(), "{} violations", violations.len());
    Ok(())
}

/// Text files that git tracks or would add; lock files are not written by hand.
fn files() -> Result<Vec<File>> {
    let listing = command("git", &["ls-files", "--cached", "--others", "--exclude-standard"]).output()?;
    ensure!(listing.status.success(), "git ls-files failed");
    let paths = String::from_utf8(listing.stdout).context("a path that is not UTF-8")?;
    let written =
        paths.lines().filter(|path| !path.ends_with(".lock") && !path.ends_with("package-lock.json"));
    // What cannot be read as text is captured bytes, or was removed and not yet staged.
    let read =
        |path: &str| Some(File { path: path.to_owned(), text: fs::read_to_string(root().join(path)).ok()? });
    Ok(written.filter_map(read).collect())
}

fn violations(file: &File) -> Vec<String> {
    let mut found = Vec::new();
    // This file names what it forbids.
    if file.path != "xtask/src/tidy.rs" {
        found.extend(file.lines_with(MACHINE_PATHS, "a path of one machine"));
    }
    if file.path.ends_with(".rs") && file.path != "xtask/src/tidy.rs" {
        found.extend(file.lines_with(LEFT_OVERS, "a left-over"));
        found.extend(file.direction());
        found.extend(file.unsafe_code());
        found.extend(file.sleeping_tests());
        found.extend(file.shape());
    }
    found
}

impl File {
    /// Lines of code that contain one of `forbidden`; comments may speak of it.
    fn lines_with(&self, forbidden: &[&str], reason: &str) -> Vec<String> {
        let lines = (1..).zip(self.text.lines()).filter(|(_, line)| !line.trim_start().starts_with("//"));
        let hits = lines.filter_map(|(number, line)| {
            let word = forbidden.iter().find(|word| line.contains(**word))?;
            Some(format!("{}:{number}: `{word}`: {reason}", self.path))
        });
        hits.collect()
    }

    fn direction(&self) -> Vec<String> {
        let rules = DIRECTIONS.iter().filter(|(directory, _, _)| self.path.starts_with(directory));
        // Tests read their data from files.
        let allowed = |word: &str| {
            MEETINGS.contains(&(self.path.as_str(), word)) || self.is_tests() && word == "std::fs"
        };
        let forbidden = rules.flat_map(|(_, words, reason)| words.iter().map(move |word| (*word, *reason)));
        forbidden
            .filter(|(word, _)| !allowed(word))
            .flat_map(|(word, reason)| self.lines_with(&[word], reason))
            .collect()
    }

    fn is_tests(&self) -> bool {
        self.path.contains("/tests/") || self.path.ends_with("/tests.rs")
    }

    fn unsafe_code(&self) -> Vec<String> {
        if UNSAFE_FILES.iter().any(|allowed| self.path.starts_with(allowed)) {
            return Vec::new();
        }
        self.lines_with(
            &["unsafe {", "unsafe fn", "unsafe impl", "unsafe extern"],
            "unsafe code is not allowed here",
        )
    }

    /// Tests await events; a sleep is too short on a busy machine and too long on a quiet one.
    fn sleeping_tests(&self) -> Vec<String> {
        let tests = if self.is_tests() { 0 } else { self.code_lines() };
        let sleeps = self.lines_with(&["::sleep("], "a test sleeps instead of waiting for an event");
        let behind = |violation: &String| {
            let number = violation.split(':').nth(1).and_then(|number| number.parse::<usize>().ok());
            number.is_some_and(|number| number > tests)
        };
        sleeps.into_iter().filter(behind).collect()
    }

    fn shape(&self) -> Vec<String> {
        let mut found = Vec::new();
        // A module's tests are documented by the module.
        if !self.text.starts_with("//!") && !self.path.ends_with("/tests.rs") {
            found.push(format!("{}:1: a file begins with its `//!` documentation", self.path));
        }
        let lines = self.code_lines();
        if lines > FILE_LINES_MAX {
            found.push(format!(
                "{}:{lines}: look for the second noun: more than {FILE_LINES_MAX} lines",
                self.path
            ));
        }
        found
    }

    /// Lines before the unit tests, which are a module in the file itself: `mod simulation;` is but a name.
    fn code_lines(&self) -> usize {
        let lines: Vec<&str> = self.text.lines().collect();
        let tests = |pair: &[&str]| pair[0] == "#[cfg(test)]" && pair[1].ends_with('{');
        lines.windows(2).position(tests).unwrap_or(lines.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_finds_its_violation() {
        let doc = "//! Doc.\n";
        let cases = [
            ("gateway/src/mask/a.rs", "use tokio::sync::Notify;", "mask is pure"),
            ("gateway/src/inspect/a.rs", "use std::fs::File;", "inspect is pure"),
            ("gateway/src/json.rs", "use std::fs::File;", "json is pure"),
            ("gateway/src/document.rs", "use std::fs::File;", "document is pure"),
            ("gateway/src/mask/a.rs", "use std::{fs, thread};", "mask is pure"),
            ("gateway/src/worker/a.rs", "use crate::control::Control;", "mailbox only"),
            ("gateway/src/policy/a.rs", "unsafe { read() }", "unsafe code"),
            ("gateway/tests/it/a.rs", "std::thread::sleep(time);", "a test sleeps"),
            ("xtask/src/a.rs", "#[cfg(test)]\nmod tests {\nstd::thread::sleep(time);", "a test sleeps"),
            ("xtask/src/a.rs", "todo!()", "a left-over"),
            ("docs/a.md", "see /root/notes", "a path of one machine"),
        ];
        for (path, text, expected) in cases {
            let file = File { path: path.to_owned(), text: format!("{doc}{text}\n") };
            let found = violations(&file);
            assert!(found.len() == 1 && found[0].contains(expected), "{path}: {found:?}");
        }
    }

    #[test]
    fn a_file_is_too_long_whatever_test_module_it_names() {
        let code = "let a = 1;\n".repeat(FILE_LINES_MAX);
        let file = |modules: &str| File {
            path: "xtask/src/a.rs".to_owned(),
            text: format!("//! Doc.\n{modules}{code}"),
        };
        assert_eq!(violations(&file("#[cfg(test)]\nmod simulation;\n")).len(), 1);
        assert!(violations(&file("#[cfg(test)]\nmod tests {\n")).is_empty());
    }

    #[test]
    fn what_is_allowed_is_not_reported() {
        let cases = [
            ("gateway/src/worker/buffers.rs", "unsafe { read() }"),
            ("gateway/src/policy/tests.rs", "use std::fs;"),
            ("gateway/src/mask/a.rs", "// tokio::net is not for this module"),
            ("bench-harness/src/a.rs", "std::thread::sleep(time);"),
        ];
        for (path, text) in cases {
            let file = File { path: path.to_owned(), text: format!("//! Doc.\n{text}\n") };
            assert!(violations(&file).is_empty(), "{path}");
        }
    }
}
