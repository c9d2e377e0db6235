//! The lists of values that a policy names, and whether they have changed since it was compiled.

use std::cell::RefCell;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::diagnostic::Diagnostic;
use crate::files;
use crate::policy::{Keys, Policy, References};

/// The lists of one compilation, as they were before they were read.
#[derive(Debug, Default)]
pub(super) struct Lists(Vec<(PathBuf, Option<Stamp>)>);

/// What changes with the content of a file.
#[derive(Debug, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
}

/// Compiles the text of a policy file with the lists that it names.
pub(super) fn compile(
    path: &Path,
    source: &str,
    keys: &Keys,
    generation: u64,
) -> (Result<Policy, Vec<Diagnostic>>, Lists) {
    let lists = RefCell::new(Vec::new());
    let read = |list: &Path| {
        lists.borrow_mut().push((list.to_owned(), Stamp::of(list)));
        files::read_list(list)
    };
    let policy = Policy::compile_with(path, source, &References { keys, read: &read }, generation);
    (policy, Lists(lists.into_inner()))
}

impl Lists {
    /// Whether the files are as they were.
    pub(super) fn are_current(&self) -> bool {
        self.0.iter().all(|(list, stamp)| Stamp::of(list) == *stamp)
    }
}

impl Stamp {
    /// `None` where there is no file.
    fn of(file: &Path) -> Option<Self> {
        let found = std::fs::metadata(file).ok()?;
        Some(Self { inode: found.ino(), bytes: found.len(), modified: (found.mtime(), found.mtime_nsec()) })
    }
}
