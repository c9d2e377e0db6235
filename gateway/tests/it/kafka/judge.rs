//! Judges what the broker holds against what was sent: the gateway's own code has no part in it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use aho_corasick::AhoCorasick;
use bench_harness::kafka::clients::{Answer, Header, Stored};

use super::policy::{LEVELS, Rules};
use super::records::{ID_HEADER, Planted};

/// One producer's run on a topic of its own.
pub(super) struct Run<'a> {
    /// What it was told to send, in order.
    pub(super) sent: &'a [Planted],
    /// What it reported.
    pub(super) answers: &'a [Answer],
    /// What a consumer read at the broker.
    pub(super) stored: &'a [Stored],
    /// Whether a retry may have written a record twice: so it is with producers that are not idempotent.
    pub(super) duplicates: bool,
    /// What the policy does; no rules for a run directly to the broker.
    pub(super) rules: &'a Rules,
}

impl Run<'_> {
    /// Everything that is wrong, at most a few lines of each kind.
    pub(super) fn faults(&self) -> Vec<String> {
        let stored = self.by_id();
        let checks = [
            self.acknowledged(&stored),
            self.exactly_once(&stored),
            self.in_order(&stored),
            self.contents(&stored),
            self.canaries(),
        ];
        checks.into_iter().flat_map(|faults| faults.into_iter().take(FAULTS_SHOWN)).collect()
    }

    fn by_id(&self) -> HashMap<String, Vec<&Stored>> {
        let mut by_id: HashMap<String, Vec<&Stored>> = HashMap::new();
        for stored in self.stored {
            by_id.entry(identity(stored)).or_default().push(stored);
        }
        by_id
    }

    /// Every record was acknowledged once, where it is.
    fn acknowledged(&self, stored: &HashMap<String, Vec<&Stored>>) -> Vec<String> {
        let mut answers: BTreeMap<&str, Vec<&Answer>> = BTreeMap::new();
        for answer in self.answers {
            answers.entry(&answer.id).or_default().push(answer);
        }
        let mut faults = Vec::new();
        for planted in self.sent {
            let id = planted.sent.id.as_str();
            match answers.get(id).map_or(&[][..], Vec::as_slice) {
                [Answer { error: Some(error), .. }] => faults.push(format!("{id} was refused: {error}")),
                [answer] => {
                    let place = (answer.partition.unwrap_or(-1), answer.offset.unwrap_or(-1));
                    let is_there = |one: &&Stored| (one.partition, one.offset) == place;
                    // With acks=0 nobody knows the offset.
                    if place.1 >= 0 && !stored.get(id).is_some_and(|all| all.iter().any(is_there)) {
                        faults.push(format!("{id} was acknowledged at {place:?} and is not there"));
                    }
                }
                several => faults.push(format!("{id} has {} answers", several.len())),
            }
        }
        faults
    }

    fn exactly_once(&self, stored: &HashMap<String, Vec<&Stored>>) -> Vec<String> {
        let count = |planted: &Planted| stored.get(&planted.sent.id).map_or(0, Vec::len);
        let is_right = |count: usize| count == 1 || count > 1 && self.duplicates;
        let wrong = self.sent.iter().filter(|planted| !is_right(count(planted)));
        let mut faults: Vec<String> =
            wrong.map(|planted| format!("{} is there {} times", planted.sent.id, count(planted))).collect();
        if self.stored.len() > self.sent.len() && !self.duplicates {
            faults.push(format!("{} records where {} were sent", self.stored.len(), self.sent.len()));
        }
        faults
    }

    /// The records of a partition stand in the order in which they were sent, and one key has one partition.
    fn in_order(&self, stored: &HashMap<String, Vec<&Stored>>) -> Vec<String> {
        let mut ends: HashMap<i32, (i64, &str)> = HashMap::new();
        let mut homes: HashMap<&[u8], i32> = HashMap::new();
        let mut faults = Vec::new();
        for planted in self.sent {
            let id = planted.sent.id.as_str();
            let Some(here) = stored.get(id).and_then(|all| all.first()) else { continue };
            if let Some((offset, before)) = ends.insert(here.partition, (here.offset, id))
                && offset >= here.offset
            {
                faults.push(format!("{id} was sent after {before} and stands before it"));
            }
            let key = planted.sent.key.as_deref();
            if key.is_some_and(|key| *homes.entry(key).or_insert(here.partition) != here.partition) {
                faults.push(format!("{id} is not in the partition of its key"));
            }
        }
        faults
    }

    /// Key, value, headers and labels are to the byte what they should be.
    fn contents(&self, stored: &HashMap<String, Vec<&Stored>>) -> Vec<String> {
        let mut faults = Vec::new();
        let mut pseudonyms = BTreeMap::new();
        for planted in self.sent {
            let id = &planted.sent.id;
            let Some(record) = stored.get(id).and_then(|all| all.first()).map(|stored| &stored.record) else {
                continue;
            };
            if !planted.is_key(record.key.as_deref(), self.rules, &mut pseudonyms) {
                faults.push(format!("{id}: key {:?}", show(record.key.as_deref())));
            }
            let value = planted.value(self.rules);
            if record.value != value {
                let (found, expected) = (show(record.value.as_deref()), show(value.as_deref()));
                faults.push(format!("{id}: value {found}\n  expected {expected}"));
            }
            let mut headers = planted.headers(self.rules);
            headers.extend(labels(planted, self.rules));
            if record.headers != headers {
                faults.push(format!(
                    "{id}: headers {:?}\n  expected {:?}",
                    names(&record.headers),
                    names(&headers)
                ));
            }
        }
        faults
    }

    fn canaries(&self) -> Vec<String> {
        let leaked = canaries_in(self.sent, self.rules, self.stored.iter().flat_map(texts));
        leaked.iter().map(|canary| format!("{canary} reached the broker")).collect()
    }
}

/// The headers that tell a consumer the level and the rules, none for the default level.
pub(super) fn labels(planted: &Planted, rules: &Rules) -> Vec<Header> {
    let mut met = planted.expectations(rules);
    met.sort_by_key(|expectation| expectation.position);
    met.dedup_by_key(|expectation| expectation.position);
    let Some(level) = met.iter().map(|expectation| expectation.level).max().filter(|&level| level > 0) else {
        return Vec::new();
    };
    let ids: Vec<&str> = met.iter().map(|expectation| expectation.rule.as_str()).collect();
    let header = |name: &str, value: String| Header(name.to_owned(), Some(value.into_bytes()));
    vec![header("classification", LEVELS[level].to_owned()), header("classification-rules", ids.join(","))]
}

/// The planted values that stand in one of the texts although the rules mask them.
pub(super) fn canaries_in<'t>(
    sent: &[Planted],
    rules: &Rules,
    texts: impl IntoIterator<Item = &'t [u8]>,
) -> BTreeSet<String> {
    let canaries: Vec<&str> = sent.iter().flat_map(|planted| planted.canaries(rules)).collect();
    let automaton = AhoCorasick::new(&canaries).unwrap();
    let found = texts.into_iter().flat_map(|text| automaton.find_overlapping_iter(text));
    found.map(|found| canaries[found.pattern()].to_owned()).collect()
}

/// Whether `text` holds `part`.
pub(super) fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

fn identity(stored: &Stored) -> String {
    let header = stored.record.headers.iter().find(|header| header.0 == ID_HEADER);
    let value = header.and_then(|header| header.1.as_deref()).unwrap_or_default();
    String::from_utf8_lossy(value).into_owned()
}

fn texts(stored: &Stored) -> impl Iterator<Item = &[u8]> {
    let record = &stored.record;
    let parts = [record.key.as_deref(), record.value.as_deref()].into_iter().flatten();
    parts.chain(record.headers.iter().filter_map(|header| header.1.as_deref()))
}

fn names(headers: &[Header]) -> Vec<String> {
    headers.iter().map(|header| format!("{}={}", header.0, show(header.1.as_deref()))).collect()
}

fn show(bytes: Option<&[u8]>) -> String {
    let Some(bytes) = bytes else { return "null".to_owned() };
    let text = String::from_utf8_lossy(bytes);
    match text.char_indices().nth(SHOWN_CHARACTERS) {
        Some((end, _)) => format!("{:?}.. ({} bytes)", &text[..end], bytes.len()),
        None => format!("{text:?}"),
    }
}

const FAULTS_SHOWN: usize = 3;
const SHOWN_CHARACTERS: usize = 300;

#[cfg(test)]
mod tests {
    use super::super::records::generate;
    use super::*;

    /// A run in which everything is as it should be.
    fn good(sent: &[Planted]) -> (Vec<Answer>, Vec<Stored>) {
        let answer = |offset: usize, planted: &Planted| Answer {
            id: planted.sent.id.clone(),
            partition: Some(0),
            offset: Some(offset as i64),
            error: None,
        };
        let stored = |offset: usize, planted: &Planted| Stored {
            partition: 0,
            offset: offset as i64,
            record: planted.sent.clone(),
        };
        let numbered = || sent.iter().enumerate();
        (
            numbered().map(|(i, one)| answer(i, one)).collect(),
            numbered().map(|(i, one)| stored(i, one)).collect(),
        )
    }

    #[test]
    fn the_judge_sees_every_kind_of_fault() {
        let sent = generate(1, 48);
        let rules = Rules::none();
        type Change = fn(&mut Vec<Answer>, &mut Vec<Stored>);
        let table: [(&str, Change, Option<&str>); 10] = [
            ("nothing", |_, _| {}, None),
            ("a lost record", |_, stored| drop(stored.remove(5)), Some("is not there")),
            ("a lost answer", |answers, _| drop(answers.remove(5)), Some("has 0 answers")),
            ("a refusal", |answers, _| answers[5].error = Some("no".to_owned()), Some("was refused: no")),
            (
                "a duplicate",
                |_, stored| {
                    let again = Stored { offset: 99, ..stored[5].clone() };
                    stored.push(again);
                },
                Some("is there 2 times"),
            ),
            (
                "a swap",
                |_, stored| stored.iter_mut().for_each(|one| one.offset = 50 - one.offset),
                Some("stands before"),
            ),
            ("a lone partition", |_, stored| stored[5].partition = 1, Some("the partition of its key")),
            (
                "a changed byte",
                |_, stored| stored[0].record.value.as_mut().unwrap()[0] ^= 1,
                Some("n0: value"),
            ),
            ("a changed key", |_, stored| stored[0].record.key = Some(b"other".to_vec()), Some("n0: key")),
            ("a lost header", |_, stored| drop(stored[0].record.headers.pop()), Some("n0: headers")),
        ];
        for (name, change, expected) in table {
            let (mut answers, mut stored) = good(&sent);
            change(&mut answers, &mut stored);
            let faults =
                Run { sent: &sent, answers: &answers, stored: &stored, duplicates: false, rules: &rules }
                    .faults();
            match expected {
                None => assert!(faults.is_empty(), "{name}: {faults:?}"),
                Some(text) => assert!(faults.iter().any(|fault| fault.contains(text)), "{name}: {faults:?}"),
            }
        }
    }
    #[test]
    fn the_judge_sees_what_was_not_masked() {
        let sent = generate(1, 48);
        let rules = Rules::shipped();
        let (_, mut stored) = good(&sent);
        let in_clear = canaries_in(&sent, &rules, stored.iter().flat_map(texts));
        let planted = sent.iter().flat_map(|planted| planted.canaries(&rules));
        assert_eq!(in_clear, planted.map(str::to_owned).collect());
        for (stored, planted) in stored.iter_mut().zip(&sent) {
            stored.record.key = None;
            stored.record.value = planted.value(&rules);
            stored.record.headers = planted.headers(&rules);
        }
        assert!(canaries_in(&sent, &rules, stored.iter().flat_map(texts)).is_empty());
    }
}
