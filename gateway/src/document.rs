//! Reads TOML so that every mistake is found at once and each knows its place.
//!
//! [`Document`] collects the mistakes; a [`Table`] hands out typed values, and answers a key that it may not
//! have with the nearest one that it may.

use std::cell::RefCell;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::diagnostic::Diagnostic;

/// A value and the byte offset at which it stands in the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Byte offset of its first character in the source.
    pub at: usize,
}

/// One TOML file: its text, and the mistakes found in it so far.
#[derive(Debug)]
pub struct Document<'a> {
    file: &'a Path,
    source: &'a str,
    mistakes: RefCell<Vec<(usize, String)>>,
}

impl<'a> Document<'a> {
    /// A document without mistakes yet.
    pub fn new(file: &'a Path, source: &'a str) -> Self {
        Self { file, source, mistakes: RefCell::default() }
    }

    /// The path of a file that the document names: relative to its own folder.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.file.parent().unwrap_or(Path::new("")).join(name)
    }

    /// Parses the source. Mistakes of syntax are noted, and what can be read in spite of them is returned.
    pub fn parse(&self) -> Spanned<DeTable<'a>> {
        let (root, errors) = DeTable::parse_recoverable(self.source);
        for error in errors {
            let at = error.span().map_or(0, |span| span.start);
            self.mistake(at, error.message().trim_end().replace('\n', ", "));
        }
        root
    }

    /// Notes a mistake at byte offset `at`.
    pub fn mistake(&self, at: usize, message: impl Into<String>) {
        self.mistakes.borrow_mut().push((at, message.into()));
    }

    /// The value when nothing was wrong, else every mistake in the order of the file.
    ///
    /// # Errors
    ///
    /// The mistakes, when there are any or when there is no value.
    pub fn finish<T>(self, value: Option<T>) -> Result<T, Vec<Diagnostic>> {
        let mut mistakes = self.mistakes.into_inner();
        match value {
            Some(value) if mistakes.is_empty() => Ok(value),
            _ => {
                mistakes.sort();
                mistakes.dedup();
                let diagnostic = |(at, message)| Diagnostic::at(self.file, self.source, at, message);
                Err(mistakes.into_iter().map(diagnostic).collect())
            }
        }
    }
}

/// One table of a document.
#[derive(Debug)]
pub struct Table<'d, 'a> {
    document: &'d Document<'a>,
    entries: &'d DeTable<'a>,
    /// What the table is called in messages, such as `[[rule]]`; empty for the root.
    name: String,
    at: usize,
}

impl<'d, 'a> Table<'d, 'a> {
    /// The table of the whole document, as `Document::parse` returned it.
    pub fn root(document: &'d Document<'a>, entries: &'d Spanned<DeTable<'a>>) -> Self {
        Self { document, entries: entries.get_ref(), name: String::new(), at: 0 }
    }

    /// Byte offset of the table in the source.
    pub fn at(&self) -> usize {
        self.at
    }

    /// Byte offset of the value of `key`, or of the table where there is none.
    pub fn at_key(&self, key: &str) -> usize {
        self.entries.get(key).map_or(self.at, |value| value.span().start)
    }

    /// True when the table has `key`.
    pub fn has(&self, key: &str) -> bool {
        self.entries.contains_key(key)
    }

    /// Notes a mistake at the value of `key`, or at the table where there is none.
    pub fn mistake(&self, key: &str, message: impl Into<String>) {
        self.document.mistake(self.at_key(key), message);
    }

    /// Notes a mistake at byte offset `at`.
    pub fn mistake_at(&self, at: usize, message: impl Into<String>) {
        self.document.mistake(at, message);
    }

    /// The string at `key`.
    pub fn string(&self, key: &str) -> Option<Located<&'d str>> {
        let value = self.entries.get(key)?;
        let text = value.get_ref().as_str();
        self.typed(key, "a string", value, text)
    }

    /// The string at `key`; a mistake when it is missing.
    pub fn required_string(&self, key: &str) -> Option<Located<&'d str>> {
        self.require(key, "a string");
        self.string(key)
    }

    /// The integer at `key`; a mistake when it lies outside `range`.
    pub fn integer(&self, key: &str, range: RangeInclusive<i64>) -> Option<Located<i64>> {
        let value = self.entries.get(key)?;
        let number = value.get_ref().as_integer().and_then(|integer| {
            let digits = integer.as_str().replace('_', "");
            i64::from_str_radix(&digits, integer.radix()).ok()
        });
        let expected = format!("an integer from {} to {}", range.start(), range.end());
        let number = number.filter(|number| range.contains(number));
        self.typed(key, &expected, value, number)
    }

    /// The truth value at `key`.
    pub fn boolean(&self, key: &str) -> Option<Located<bool>> {
        let value = self.entries.get(key)?;
        self.typed(key, "true or false", value, value.get_ref().as_bool())
    }

    /// One of the named values at `key`; a mistake names those allowed.
    pub fn choice<T: Copy>(&self, key: &str, names: &[(&str, T)]) -> Option<Located<T>> {
        let found = self.string(key)?;
        self.choose(key, found, names)
    }

    /// As `choice`, and `default` where the key is missing; none when it is there and wrong.
    pub fn choice_or<T: Copy>(&self, key: &str, names: &[(&str, T)], default: T) -> Option<T> {
        if !self.has(key) {
            return Some(default);
        }
        self.choice(key, names).map(|found| found.value)
    }

    /// True when the value of `key` is the string `text`: for keys that may have a value of another type.
    pub fn is_string(&self, key: &str, text: &str) -> bool {
        self.entries.get(key).is_some_and(|value| value.get_ref().as_str() == Some(text))
    }

    /// The list of strings at `key`, with what is a string in it; empty when it is missing.
    pub fn strings(&self, key: &str) -> Vec<Located<&'d str>> {
        let Some(value) = self.entries.get(key) else { return Vec::new() };
        let Some(array) = value.get_ref().as_array() else {
            self.wrong_type(key, "a list of strings", value);
            return Vec::new();
        };
        let strings = array.iter().filter_map(|item| {
            let text = item.get_ref().as_str();
            self.typed(key, "a list of strings", item, text)
        });
        strings.collect()
    }

    /// As `strings`; a mistake when the list is there and empty, since it would stand for nothing at all.
    pub fn some_strings(&self, key: &str) -> Vec<Located<&'d str>> {
        if let Some(value) = self.entries.get(key)
            && value.get_ref().as_array().is_some_and(|array| array.is_empty())
        {
            let message = format!("`{key}` is empty, so nothing matches: leave it out, or name something");
            self.document.mistake(value.span().start, message);
        }
        self.strings(key)
    }

    /// The table at `key`.
    pub fn table(&self, key: &str) -> Option<Table<'d, 'a>> {
        let value = self.entries.get(key)?;
        let table = value.get_ref().as_table();
        let found = self.typed(key, "a table", value, table)?;
        let name = if self.name.is_empty() { format!("[{key}]") } else { format!("{}.{key}", self.name) };
        Some(self.child(found, name))
    }

    /// The tables of the array of tables `[[key]]`; none when it is missing.
    pub fn tables(&self, key: &str) -> Vec<Table<'d, 'a>> {
        let Some(value) = self.entries.get(key) else { return Vec::new() };
        let outer = self.name.strip_prefix("[[").and_then(|name| name.strip_suffix("]]"));
        let name = outer.map_or(format!("[[{key}]]"), |outer| format!("[[{outer}.{key}]]"));
        let expected = format!("written as {name}");
        let Some(array) = value.get_ref().as_array() else {
            self.wrong_type(key, &expected, value);
            return Vec::new();
        };
        let tables = array.iter().filter_map(|item| {
            let table = item.get_ref().as_table();
            Some(self.child(self.typed(key, &expected, item, table)?, name.clone()))
        });
        tables.collect()
    }

    /// Notes a mistake when `key` is missing; `what` says what belongs there.
    pub fn require(&self, key: &str, what: &str) {
        if !self.has(key) {
            let within = if self.name.is_empty() { "the file" } else { &self.name };
            self.document.mistake(self.at, format!("{within} needs `{key}`: {what}"));
        }
    }

    /// Notes every key that is not one of `known`.
    pub fn allow_only(&self, known: &[&str]) {
        for key in self.entries.keys().filter(|key| !known.contains(&key.get_ref().as_ref())) {
            let place = if self.name.is_empty() { String::new() } else { format!(" in {}", self.name) };
            let message =
                format!("unknown key `{}`{place}{}", key.get_ref(), suggestion(key.get_ref(), known));
            self.document.mistake(key.span().start, message);
        }
    }

    fn choose<T: Copy>(&self, key: &str, found: Located<&str>, names: &[(&str, T)]) -> Option<Located<T>> {
        if let Some((_, value)) = names.iter().find(|(name, _)| *name == found.value) {
            return Some(Located { value: *value, at: found.at });
        }
        let allowed: Vec<&str> = names.iter().map(|(name, _)| *name).collect();
        let message = format!("`{key}` cannot be `{}`{}", found.value, suggestion(found.value, &allowed));
        self.document.mistake(found.at, message);
        None
    }

    fn child(&self, found: Located<&'d DeTable<'a>>, name: String) -> Table<'d, 'a> {
        Table { document: self.document, entries: found.value, name, at: found.at }
    }

    fn typed<T>(
        &self,
        key: &str,
        expected: &str,
        at: &Spanned<DeValue<'_>>,
        value: Option<T>,
    ) -> Option<Located<T>> {
        if value.is_none() {
            self.wrong_type(key, expected, at);
        }
        value.map(|value| Located { value, at: at.span().start })
    }

    fn wrong_type(&self, key: &str, expected: &str, found: &Spanned<DeValue<'_>>) {
        let message = format!("`{key}` must be {expected}, not {}", described(found.get_ref()));
        self.document.mistake(found.span().start, message);
    }
}

/// `; did you mean ..?` and the list of what is allowed.
pub fn suggestion(wrong: &str, allowed: &[&str]) -> String {
    let list = allowed.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    match nearest(wrong, allowed) {
        Some(name) => format!("; did you mean `{name}`? allowed: {list}"),
        None => format!("; allowed: {list}"),
    }
}

/// The allowed name that differs from `wrong` in at most two fifths of its letters; a swap counts as two.
pub fn nearest<'n>(wrong: &str, allowed: &[&'n str]) -> Option<&'n str> {
    let distances = allowed.iter().map(|name| (edit_distance(wrong, name), *name));
    let (distance, name) = distances.min_by_key(|(distance, _)| *distance)?;
    let length = name.chars().count();
    (distance < length && distance <= (length * 2 / 5).max(1)).then_some(name)
}

/// Levenshtein distance in characters.
fn edit_distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, from) in one.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in other.iter().enumerate() {
            let replaced = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[other.len()]
}

fn described(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("the string \"{text}\""),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.to_string(),
        DeValue::Boolean(value) => value.to_string(),
        DeValue::Datetime(_) => "a date".to_owned(),
        DeValue::Array(_) => "a list".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_suggested_when_it_is_near() {
        assert_eq!(nearest("emial", &["iban", "email"]), Some("email"));
        assert_eq!(nearest("credit-card", &["credit_card"]), Some("credit_card"));
        assert_eq!(nearest("passport", &["iban", "email"]), None);
    }

    #[test]
    fn mistakes_come_in_the_order_of_the_file() {
        let document = Document::new(Path::new("a.toml"), "a = 1\nb = \"x\"\nc = [1]\nd = 2\n");
        let root = document.parse();
        let table = Table::root(&document, &root);
        table.strings("c");
        table.integer("b", 0..=9);
        table.string("a");
        table.allow_only(&["a", "b", "c"]);

        let mistakes = document.finish(Some(())).expect_err("there are mistakes");

        let lines: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
        let expected = [
            "a.toml:1:5: `a` must be a string, not 1",
            "a.toml:2:5: `b` must be an integer from 0 to 9, not the string \"x\"",
            "a.toml:3:6: `c` must be a list of strings, not 1",
            "a.toml:4:1: unknown key `d`; allowed: `a`, `b`, `c`",
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn several_mistakes_of_syntax_are_found_at_once() {
        let document = Document::new(Path::new("a.toml"), "a = \nb = 1\nb = 2\nc = ]\n");
        document.parse();
        let mistakes = document.finish(Some(())).expect_err("there are mistakes");
        assert_eq!(mistakes.iter().map(|mistake| mistake.line).collect::<Vec<_>>(), [1, 3, 4]);
    }
}
