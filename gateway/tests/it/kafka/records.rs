//! Records with planted sensitive values, and what must arrive for each: the generator knows every span that it
//! planted, so the expectation never passes through the gateway's own code.

use std::collections::BTreeMap;

use bench_harness::kafka::clients::{Header, Record};

use super::policy::{Expectation, Operator, Rules};

/// Header with the identity of a record; the gateway has no reason to touch it.
pub(super) const ID_HEADER: &str = "record-id";

/// One record as it is sent, with what was planted in it.
#[derive(Debug, Clone)]
pub(super) struct Planted {
    /// As the client sends it.
    pub(super) sent: Record,
    key: Option<Text>,
    value: Option<Text>,
    headers: Vec<(String, Text)>,
}

/// Text with sensitive spans.
#[derive(Debug, Clone, Default)]
struct Text(Vec<Span>);

#[derive(Debug, Clone)]
enum Span {
    Plain(Vec<u8>),
    Sensitive(&'static str, String),
}

impl Planted {
    /// The value that must arrive.
    pub(super) fn value(&self, rules: &Rules) -> Option<Vec<u8>> {
        self.value.as_ref().map(|text| text.masked(rules))
    }

    /// Whether `arrived` is what must arrive as the key. `pseudonyms` holds what stands for which value, over all
    /// records: one for each.
    pub(super) fn is_key(
        &self,
        arrived: Option<&[u8]>,
        rules: &Rules,
        pseudonyms: &mut BTreeMap<String, String>,
    ) -> bool {
        match (&self.key, arrived) {
            (Some(text), Some(arrived)) => text.is_hashed(arrived, rules, pseudonyms),
            (None, None) => true,
            _ => false,
        }
    }

    /// The headers that must arrive, labels apart.
    pub(super) fn headers(&self, rules: &Rules) -> Vec<Header> {
        let identity = Header(ID_HEADER.to_owned(), Some(self.sent.id.clone().into_bytes()));
        let others = self.headers.iter().map(|(name, text)| Header(name.clone(), Some(text.masked(rules))));
        std::iter::once(identity).chain(others).collect()
    }

    /// The same record without its headers.
    pub(super) fn without_headers(mut self) -> Self {
        self.headers.clear();
        self.sent.headers.clear();
        self
    }

    /// The same record without its key.
    pub(super) fn without_key(mut self) -> Self {
        self.key = None;
        self.sent.key = None;
        self
    }

    /// The rules that the planted values meet.
    pub(super) fn expectations<'r>(&self, rules: &'r Rules) -> Vec<&'r Expectation> {
        let in_key = self.key.iter().flat_map(Text::sensitive).filter_map(|(found, _)| rules.in_key(found));
        let texts = self.key.iter().chain(&self.value).chain(self.headers.iter().map(|(_, text)| text));
        texts.flat_map(Text::sensitive).filter_map(|(found, _)| rules.of(found)).chain(in_key).collect()
    }

    /// The planted values in clear that must not be seen anywhere behind the gateway.
    pub(super) fn canaries<'p>(&'p self, rules: &'p Rules) -> impl Iterator<Item = &'p str> {
        let texts = self.key.iter().chain(&self.value).chain(self.headers.iter().map(|(_, text)| text));
        texts
            .flat_map(Text::sensitive)
            .filter(|(detector, _)| rules.of(detector).is_some())
            .map(|(_, value)| value)
    }
}

impl Text {
    fn plain(mut self, text: &str) -> Self {
        self.0.push(Span::Plain(text.as_bytes().to_vec()));
        self
    }

    fn sensitive_value(mut self, (detector, value): (&'static str, String)) -> Self {
        self.0.push(Span::Sensitive(detector, value));
        self
    }

    fn raw(&self) -> Vec<u8> {
        let bytes = self.0.iter().flat_map(|span| match span {
            Span::Plain(bytes) => bytes.as_slice(),
            Span::Sensitive(_, value) => value.as_bytes(),
        });
        bytes.copied().collect()
    }

    fn masked(&self, rules: &Rules) -> Vec<u8> {
        let bytes = self.0.iter().flat_map(|span| match span {
            Span::Plain(bytes) => bytes.clone(),
            Span::Sensitive(detector, value) => match rules.of(detector) {
                Some(expectation) => mask(value, expectation.operator).into_bytes(),
                None => value.clone().into_bytes(),
            },
        });
        bytes.collect()
    }

    /// Whether `arrived` is this text with a pseudonym for each value that the rules hash.
    fn is_hashed(&self, arrived: &[u8], rules: &Rules, pseudonyms: &mut BTreeMap<String, String>) -> bool {
        let mut rest = arrived;
        for span in &self.0 {
            let (length, hashed) = match span {
                Span::Plain(bytes) => (bytes.len(), None),
                Span::Sensitive(detector, value) => match rules.in_key(detector).map(|rule| rule.operator) {
                    Some(Operator::Hash { length }) => (length, Some(value)),
                    _ => (value.len(), None),
                },
            };
            let Some((here, behind)) = rest.split_at_checked(length) else { return false };
            let is_right = match hashed {
                Some(value) => is_pseudonym(here, value, pseudonyms),
                None => Text(vec![span.clone()]).raw() == here,
            };
            if !is_right {
                return false;
            }
            rest = behind;
        }
        rest.is_empty()
    }

    fn sensitive(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.0.iter().filter_map(|span| match span {
            Span::Plain(_) => None,
            Span::Sensitive(detector, value) => Some((*detector, value.as_str())),
        })
    }
}

/// Whether `here` is hex digits that stand for `value`, and for no other.
fn is_pseudonym(here: &[u8], value: &str, pseudonyms: &mut BTreeMap<String, String>) -> bool {
    let text = String::from_utf8_lossy(here).into_owned();
    here.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        && *pseudonyms.entry(value.to_owned()).or_insert_with(|| text.clone()) == text
        && pseudonyms.values().filter(|other| **other == text).count() == 1
}

/// Letters and digits become `*`, but `keep` leaves some at both ends; separators stay.
fn mask(value: &str, operator: Operator) -> String {
    let (first, last) = match operator {
        Operator::None => return value.to_owned(),
        Operator::Hash { .. } => panic!("the tests hash record keys only"),
        Operator::Redact => (0, 0),
        Operator::Keep { first, last } => (first, last),
    };
    let count = value.chars().filter(char::is_ascii_alphanumeric).count();
    let mut seen = 0;
    let masked = value.chars().map(|character| {
        if !character.is_ascii_alphanumeric() {
            return character;
        }
        seen += 1;
        if seen <= first || seen > count - last { character } else { '*' }
    });
    masked.collect()
}

/// `count` records; the same seed gives the same records.
pub(super) fn generate(seed: u64, count: usize) -> Vec<Planted> {
    let mut random = Random(seed);
    (0..count).map(|index| planted(&mut random, index)).collect()
}

fn planted(random: &mut Random, index: usize) -> Planted {
    let value = value(random, index);
    // aiokafka refuses records without key and value, so a key is missing only beside a value.
    let keyed = value.is_none() || random.below(5) > 0;
    let key = keyed.then(|| key(random));
    let headers = headers(random, index);
    let id = format!("n{index}");
    let mut sent_headers = vec![Header(ID_HEADER.to_owned(), Some(id.clone().into_bytes()))];
    sent_headers.extend(headers.iter().map(|(name, text)| Header(name.clone(), Some(text.raw()))));
    let raw = |text: &Option<Text>| text.as_ref().map(Text::raw);
    let sent = Record { id, key: raw(&key), value: raw(&value), headers: sent_headers };
    Planted { sent, key, value, headers }
}

/// Keys enough for every partition of a small topic.
fn key(random: &mut Random) -> Text {
    match random.below(36) {
        number @ 0..28 => Text::default().plain(&format!("device-{number}")),
        number => Text::default()
            .plain("customer ")
            .sensitive_value(("email", format!("annie.easley{number}@mail.navy.org"))),
    }
}

fn value(random: &mut Random, index: usize) -> Option<Text> {
    let text = Text::default();
    Some(match index % 12 {
        0 => {
            text.plain(r#"{"event":"payment","pan":""#).sensitive_value(card(random)).plain(r#"","ok":true}"#)
        }
        1 => {
            text.plain("level=info msg=\"login of ").sensitive_value(email(random)).plain(" done\" took=12ms")
        }
        2 => text
            .plain(r#"{"person":{"ssn":""#)
            .sensitive_value(ssn(random))
            .plain(r#"","mail":""#)
            .sensitive_value(email(random))
            .plain(r#""},"active":true}"#),
        3 => clean(random, index),
        4 => text
            .plain("transfer to iban ")
            .sensitive_value(iban(random))
            .plain(", call ")
            .sensitive_value(phone(random))
            .plain(" when it is done"),
        5 => text
            .plain(r#"{"env":{"AWS_ACCESS_KEY_ID":""#)
            .sensitive_value(aws_access_key_id(random))
            .plain(r#"","GITHUB_TOKEN":""#)
            .sensitive_value(github_token(random))
            .plain(r#""}}"#),
        6 => clean(random, index),
        7 => text
            .plain(r#"{"slack":""#)
            .sensitive_value(slack_token(random))
            .plain(r#"","authorization":"Bearer "#)
            .sensitive_value(jwt(random))
            .plain(r#""}"#),
        8 => large(random),
        9 if random.below(2) == 0 => return None,
        _ => clean(random, index),
    })
}

fn headers(random: &mut Random, index: usize) -> Vec<(String, Text)> {
    let plain = |name: &str, text: &str| (name.to_owned(), Text::default().plain(text));
    match index % 5 {
        0 => vec![plain("hop", "edge-1"), plain("hop", "edge-2"), plain("empty", "")],
        1 => vec![("customer".to_owned(), Text::default().plain("mail ").sensitive_value(email(random)))],
        _ => Vec::new(),
    }
}

/// Values that look like what detectors look for and are not.
fn clean(random: &mut Random, index: usize) -> Text {
    let text = Text::default();
    match index % 4 {
        0 => text.plain(&format!(
            r#"{{"ts":1767000000{:03},"order":"ORD-{:06}","v":"1.20.3"}}"#,
            index % 1000,
            index
        )),
        1 => text.plain(&format!("temperatur=21.{} ort=München größe=µ · 設定 ok", random.below(10))),
        2 => Text(vec![Span::Plain(
            (0..=255).chain((0..64).map(|_| random.below(256) as u8 & 0x9f)).collect(),
        )]),
        _ => text.plain(""),
    }
}

/// A value that spans several receive buffers, with one card near its end.
fn large(random: &mut Random) -> Text {
    let mut lines = String::from("{\"lines\":[");
    for line in 0..400 {
        lines.push_str(&format!(r#"{{"n":{line},"state":"running","load":0.{:02}}},"#, random.below(100)));
    }
    let text = Text::default().plain(&lines).plain(r#"{"pan":""#).sensitive_value(card(random));
    text.plain("\"}]}")
}

fn card(random: &mut Random) -> (&'static str, String) {
    let mut digits = vec![4, 5, 3, 9];
    digits.extend((0..11).map(|_| random.below(10) as u32));
    let sum: u32 = digits.iter().rev().enumerate().map(|(at, &digit)| luhn_term(at, digit)).sum();
    digits.push((10 - sum % 10) % 10);
    let separator = ["", " ", "-"][random.below(3)];
    let groups = digits.chunks(4).map(|group| group.iter().map(u32::to_string).collect::<String>());
    ("credit_card", groups.collect::<Vec<_>>().join(separator))
}

/// Term of the Luhn sum for the digit `at` places left of the check digit.
fn luhn_term(at: usize, digit: u32) -> u32 {
    if at % 2 == 1 { digit } else { digit * 2 / 10 + digit * 2 % 10 }
}

fn ssn(random: &mut Random) -> (&'static str, String) {
    let area = 100 + random.below(500);
    ("us_ssn", format!("{area}-{:02}-{:04}", 10 + random.below(80), 1000 + random.below(8000)))
}

fn email(random: &mut Random) -> (&'static str, String) {
    let names = ["ada.lovelace", "grace_hopper", "linus", "margaret.hamilton", "k.johnson"];
    let domains = ["analytical-engines.com", "mail.navy.org", "kernel.dev", "apollo.net"];
    let name = names[random.below(names.len())];
    ("email", format!("{name}{}@{}", random.below(1000), domains[random.below(domains.len())]))
}

/// A German IBAN: check digits are 98 minus the rest of the division by 97 with `DE00` moved to the end (ISO 13616).
fn iban(random: &mut Random) -> (&'static str, String) {
    let account: String = (0..18).map(|at| digit(random, if at == 0 { 1 } else { 0 })).collect();
    let rest =
        format!("{account}131400").bytes().fold(0, |rest, digit| (rest * 10 + u32::from(digit - b'0')) % 97);
    ("iban", format!("DE{:02}{account}", 98 - rest))
}

fn phone(random: &mut Random) -> (&'static str, String) {
    ("phone", format!("+1 415 {} {}", 200 + random.below(700), 1000 + random.below(9000)))
}

fn aws_access_key_id(random: &mut Random) -> (&'static str, String) {
    ("aws_access_key_id", format!("AKIA{}", random.text(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 16)))
}

/// The last six characters are the CRC-32 of the thirty before them, base 62.
fn github_token(random: &mut Random) -> (&'static str, String) {
    let body = random.text(BASE62, 30);
    let mut checksum = flate2::Crc::new();
    checksum.update(body.as_bytes());
    let mut rest = checksum.sum();
    let mut tail = [b'0'; 6];
    for character in tail.iter_mut().rev() {
        *character = BASE62[(rest % 62) as usize];
        rest /= 62;
    }
    ("github_token", format!("ghp_{body}{}", String::from_utf8_lossy(&tail)))
}

fn slack_token(random: &mut Random) -> (&'static str, String) {
    let number = |random: &mut Random| (0..12).map(|_| digit(random, 1)).collect::<String>();
    let (team, user) = (number(random), number(random));
    ("slack_token", format!("xoxb-{team}-{user}-{}", random.text(BASE62, 24)))
}

/// Header `{"alg":"HS256","typ":"JWT"}`, payload `{"sub":"1234567890"}`, a random signature.
fn jwt(random: &mut Random) -> (&'static str, String) {
    let signature = random.text(BASE62, 43);
    ("jwt", format!("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.{signature}"))
}

fn digit(random: &mut Random, at_least: u32) -> char {
    char::from_digit(at_least + random.below(10 - at_least as usize) as u32, 10).unwrap()
}

const BASE62: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// SplitMix64 (Steele, Lea, Flood 2014).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((word ^ (word >> 31)) % bound as u64) as usize
    }

    fn text(&mut self, alphabet: &[u8], length: usize) -> String {
        (0..length).map(|_| char::from(alphabet[self.below(alphabet.len())])).collect()
    }
}

#[test]
fn masks_are_those_of_the_published_examples() {
    let keep = Operator::Keep { first: 6, last: 4 };
    assert_eq!(mask("4111 1111 1111 1111", keep), "4111 11** **** 1111");
    assert_eq!(mask("ada@example.org", Operator::Redact), "***@*******.***");
}
