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
        self.matches_characters(&name.chars().collect::<Vec<_>>())
    }

    /// True when every name that `inner` matches is matched by this glob; may be false where `?` makes it hard
    /// to tell.
    fn covers(&self, inner: &Self) -> bool {
        // A wildcard of the inner one is a character that only a `*` of the outer one takes.
        self == inner || !self.0.contains(&'?') && self.matches_characters(&inner.0)
    }

    fn matches_characters(&self, name: &[char]) -> bool {
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

/// True when every name that `inner` lets pass is let pass by `outer`; an empty list lets every name pass.
pub(super) fn cover(outer: &[Glob], inner: &[Glob]) -> bool {
    let everything = [Glob::new("*")];
    let inner = if inner.is_empty() { &everything } else { inner };
    outer.is_empty() || inner.iter().all(|inner| outer.iter().any(|outer| outer.covers(inner)))
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

    #[test]
    fn a_glob_covers_those_that_match_less() {
        let table = [
            ("*", "hr.*", true),
            ("hr.*", "hr.payroll.*", true),
            ("hr.*", "hr.staff", true),
            ("hr.*", "*", false),
            ("hr.*", "h*", false),
            ("h?", "h*", false),
            ("h?", "h?", true),
            ("h*", "h?", true),
        ];
        for (outer, inner, expected) in table {
            assert_eq!(cover(&[Glob::new(outer)], &[Glob::new(inner)]), expected, "{outer} over {inner}");
        }
        assert!(cover(&[], &[]) && cover(&[Glob::new("*")], &[]) && !cover(&[Glob::new("a")], &[]));
    }
}
