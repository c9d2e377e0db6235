//! Reads what an operator wrote: configuration, policies and the lists that they name, each within a bound.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use crate::diagnostic::Diagnostic;

/// Largest configuration or policy file, bytes.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Largest file of fingerprints, bytes: over a million of 41.
const LIST_BYTES_MAX: u64 = 48 * 1024 * 1024;

/// Reads a file of configuration.
///
/// # Errors
///
/// When it cannot be read, is larger than any sensible one, or is not UTF-8: one diagnostic.
pub fn read(file: &Path) -> Result<String, Vec<Diagnostic>> {
    let refuse = |source: &str, at, message: String| vec![Diagnostic::at(file, source, at, message)];
    let io = |error: io::Error| refuse("", 0, format!("cannot read: {error}"));
    let mut bytes = Vec::new();
    File::open(file).map_err(io)?.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(io)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(refuse("", 0, format!("larger than {FILE_BYTES_MAX} bytes")));
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let before = String::from_utf8_lossy(&error.as_bytes()[..valid]);
        refuse(&before, valid, "not UTF-8".to_owned())
    })
}

/// Reads a file of fingerprints that a document names.
///
/// # Errors
///
/// When it cannot be read, is not UTF-8 or larger than any list.
pub fn read_list(file: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(file)?.take(LIST_BYTES_MAX + 1).read_to_string(&mut text)?;
    if text.len() as u64 > LIST_BYTES_MAX {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("larger than {LIST_BYTES_MAX} bytes"),
        ));
    }
    Ok(text)
}
