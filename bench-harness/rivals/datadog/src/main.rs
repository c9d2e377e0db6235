//! Reads labelled records from stdin and scans them with DataDog's scanner, which brings checks but no expressions: those
//! are ours, with its checks where it has them. Prints the CPU time, of six types and of all twelve expressions.

use dd_sds::{RegexRuleConfig, RootRuleConfig, Scanner, SecondaryValidator};
use rustix::time::{ClockId, clock_gettime};
use std::time::Duration;

const EXPRESSIONS: &str = include_str!("../../expressions.txt");
const SIX_TYPES: [&str; 7] = ["credit_card", "us_ssn", "email", "iban", "phone", "ipv4", "ipv6"];

fn main() {
    let lines = std::io::stdin().lines().map(|line| line.expect("stdin is text"));
    let records: Vec<String> = lines
        .map(|line| {
            let record: serde_json::Value = serde_json::from_str(&line).expect("each line is JSON");
            record["payload"].as_str().expect("each record has a payload").to_owned()
        })
        .collect();
    let bytes: usize = records.iter().map(String::len).sum();
    for (types, all) in [("all", true), ("six", false)] {
        let wanted = |name: &str| all || SIX_TYPES.contains(&name);
        let scanner = scanner(wanted);
        let matches = scan(&scanner, &records);
        assert!(matches > 0, "it finds nothing");
        let before = cpu_time();
        assert_eq!(scan(&scanner, &records), matches);
        let spent = cpu_time() - before;
        println!("datadog\t{types}\t{:.3}", spent.as_nanos() as f64 / bytes as f64);
    }
}

fn scanner(wanted: impl Fn(&str) -> bool) -> Scanner {
    let lines = EXPRESSIONS.lines().filter_map(|line| line.split_once(' '));
    let rules: Vec<_> = lines
        .filter(|(name, _)| wanted(name))
        .map(|(name, expression)| {
            let check = match name {
                "credit_card" => Some(SecondaryValidator::LuhnChecksum),
                "iban" => Some(SecondaryValidator::IbanChecker),
                "github_token" => Some(SecondaryValidator::GithubTokenChecksum),
                _ => None,
            };
            RootRuleConfig::new(RegexRuleConfig::new(expression).with_validator(check).build())
        })
        .collect();
    Scanner::builder(&rules).build().expect("the expressions are in its syntax")
}

/// Matches in all records. A scan may change what it reads, so it gets copies.
fn scan(scanner: &Scanner, records: &[String]) -> usize {
    let scan = |record: &String| scanner.scan(&mut record.clone()).expect("a text can be scanned").len();
    records.iter().map(scan).sum()
}

/// CPU time of this process.
fn cpu_time() -> Duration {
    clock_gettime(ClockId::ProcessCPUTime).try_into().expect("CPU time is never negative")
}
