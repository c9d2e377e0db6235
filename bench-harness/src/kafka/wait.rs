//! Waiting for processes: they tell no event that could be awaited.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// Asks `done` again and again until it says yes.
///
/// # Errors
/// `done` fails, or still says no after `timeout`.
pub fn until(what: &str, timeout: Duration, mut done: impl FnMut() -> Result<bool>) -> Result<()> {
    let deadline = Instant::now() + timeout;
    while !done()? {
        if Instant::now() > deadline {
            bail!("{what}: not within {timeout:?}");
        }
        thread::sleep(POLL);
    }
    Ok(())
}

const POLL: Duration = Duration::from_millis(50);
