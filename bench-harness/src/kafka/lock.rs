//! A file that one process at a time holds; the kernel frees it when its holder ends, however that ends.

use std::fs::{self, File, TryLockError};
use std::path::Path;

use anyhow::{Context, Result};

/// A held lock file; dropping it lets the next one in.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    /// Holds `path`; while somebody else does, waits and says that `what` is in use.
    pub(super) fn hold(path: &Path, what: &str) -> Result<Self> {
        if let Some(lock) = Self::try_hold(path)? {
            return Ok(lock);
        }
        eprintln!("{what} is in use by another process: waiting until it is free");
        let file = open(path)?;
        file.lock().with_context(|| format!("wait for {}", path.display()))?;
        Ok(Self { _file: file })
    }

    /// Holds `path`, unless somebody else does.
    fn try_hold(path: &Path) -> Result<Option<Self>> {
        let file = open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("lock {}", path.display())),
        }
    }
}

fn open(path: &Path) -> Result<File> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    File::create(path).with_context(|| format!("create {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_holder_gets_it_after_the_first() {
        let path = std::env::temp_dir().join(format!("gateway-lock-{}", std::process::id()));
        let first = Lock::hold(&path, "the test").unwrap();
        assert!(Lock::try_hold(&path).unwrap().is_none());
        drop(first);
        let _second = Lock::hold(&path, "the test").unwrap();
        fs::remove_file(path).unwrap();
    }
}
