//! Names with wildcards: `*` stands for any characters, `?` for one.

/// A compiled glob over names of topics, principals or listeners.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Glob(Vec<char>);

impl Glob {
    pub(super) fn new(pattern: &str) -> Self {
        Self(pattern.chars().collect())
    }

    /// True when the whole `name` is what the glob describes.
    ///
    /// Backtracks to the last `*` only, which suffices: time is at most the product of the lengths.
    pub(super) fn matches(&self, name: &str) -> bool {
        let name: Vec<char> = name.chars().collect();
        let (mut at, mut read) = (0, 0);
        let mut star: Option<(usize, usize)> = None;
        while at < self.0.len() || read < name.len() {
            match (self.0.get(at), name.get(read)) {
                (Some('*'), _) => {
                    at += 1;
                    star = Some((at, read));
                }
                (Some(wanted), Some(found)) if *wanted == '?' || wanted == found => {
                    (at, read) = (at + 1, read + 1)
                }
                _ => match star {
                    Some((after, taken)) if taken < name.len() => {
                        star = Some((after, taken + 1));
                        (at, read) = (after, taken + 1);
                    }
                    _ => return false,
                },
            }
        }
        true
    }
}

/// True when any of `globs` matches `name`, or when there are none.
pub(super) fn any(globs: &[Glob], name: &str) -> bool {
    globs.is_empty() || globs.iter().any(|glob| glob.matches(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_glob_describes_the_whole_name() {
        let table = [
            ("*", "", true),
            ("*", "orders", true),
            ("orders", "orders", true),
            ("orders", "orders.eu", false),
            ("orders.*", "orders.eu", true),
            ("orders.*", "orders", false),
            ("*.eu", "orders.eu", true),
            ("*.eu", "orders.eu.old", false),
            ("*a*b*c", "xxaybzbc", true),
            ("*a*b*c", "xxaybzb", false),
            ("user-?", "user-7", true),
            ("user-?", "user-", false),
            ("?", "é", true),
            ("", "", true),
            ("", "x", false),
        ];
        for (pattern, name, expected) in table {
            assert_eq!(Glob::new(pattern).matches(name), expected, "{pattern} on {name}");
        }
    }
}
