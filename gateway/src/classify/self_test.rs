//! The start-up check of the linked Hyperscan: its version, the processor, and vectors that a wrong engine
//! gets wrong. Debian's Vectorscan 5.4.9 has the same soname and misses match ends; with it, and with any
//! release that was not compared with a reference, the gateway refuses to serve.

use std::ffi::CStr;

use super::error::SelfTestError;
use super::hyperscan::{self, Database, Expression, HS_FLAG_CASELESS};

/// Expression, flags, what follows any number of `x` in the text, and the expected ends, counted from there.
const VECTORS: &[(&CStr, u32, &[u8], &[u32])] = &[
    // Vectorscan 5.4.9 misses this one in block mode when the line has 28 bytes.
    (c"[0-9]{1,2}c[a-f]*", 0, b"3c", &[2]),
    (c"[0-9]{1,2}c[a-f]*", 0, b"31cab", &[3, 4, 5]),
    (c"ghp_", 0, b"ghp_ ghp_", &[4, 9]),
    (c"Token", HS_FLAG_CASELESS, b"TOKEN token", &[5, 11]),
    (c"\\x2d\\x2d\\x2d\\x2d\\x2dBEGIN", 0, b"------BEGIN", &[11]),
    (c"[0-9]{3}-[0-9]{2}-[0-9]{4}", 0, b"536-13-7674", &[11]),
];

/// Longest run of `x` before a vector: past two of Hyperscan's 64-byte blocks.
const PADDING_BYTES_MAX: usize = 150;

/// Checks version, processor and vectors.
pub(super) fn run() -> Result<(), SelfTestError> {
    let found = hyperscan::version();
    if !found.starts_with(hyperscan::VERSION) {
        return Err(SelfTestError::Version { expected: hyperscan::VERSION, found });
    }
    if !hyperscan::platform_is_valid() {
        return Err(SelfTestError::Platform);
    }
    VECTORS.iter().try_for_each(|(expression, flags, text, ends)| vector(expression, *flags, text, ends))
}

fn vector(expression: &'static CStr, flags: u32, text: &[u8], ends: &[u32]) -> Result<(), SelfTestError> {
    let name = expression.to_str().unwrap_or("expression");
    let failed = SelfTestError::Vector(name);
    let database = Database::compile(&[Expression { text: expression.to_owned(), flags }]);
    let database = database.map_err(|_| failed.clone())?;
    let mut scratch = database.scratch();
    for padding in 0..=PADDING_BYTES_MAX {
        let mut line = vec![b'x'; padding];
        line.extend_from_slice(text);
        let mut found = Vec::new();
        let scanned = database.scan(&mut scratch, &line, |_, end| {
            found.push(end);
            true
        });
        found.sort_unstable();
        found.dedup();
        let expected = ends.iter().map(|end| end + padding as u32);
        if scanned.is_err() || !found.iter().copied().eq(expected) {
            return Err(failed);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_linked_engine_passes() {
        assert_eq!(run(), Ok(()));
    }

    #[test]
    fn a_wrong_expectation_is_noticed() {
        assert!(vector(c"ab", 0, b"ab", &[1]).is_err());
    }
}
