//! The keys that policies name: those of the configuration, and the one that the gateway makes for itself.

use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::Reader;
use crate::document::Table;
use crate::mask::{Key, KeyError};

/// Name of the key that the gateway makes for itself, unless the configuration gives one of this name.
pub const OWN_KEY: &str = "gateway";

/// Its file in `state_dir`.
const OWN_KEY_FILE: &str = "gateway.key";

/// Random bytes in it. As hex digits they are 32 bytes of text, so that the key serves `token` (AES-256) too.
const OWN_KEY_BYTES: usize = 16;

/// Largest key file, bytes: a larger one is not a key.
const KEY_FILE_BYTES_MAX: usize = 4096;

/// Where a key comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyFile {
    /// The name that policies use.
    pub id: String,
    /// What the configuration says.
    pub source: KeySource,
}

/// The two ways to give a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// A file with the key's bytes; one line feed at its end does not count.
    File(PathBuf),
    /// A systemd credential (`LoadCredential=` in the unit): a file in `$CREDENTIALS_DIRECTORY`.
    Credential(String),
}

/// Why the gateway has no key of its own.
#[derive(Debug, thiserror::Error)]
pub enum OwnKeyError {
    /// The folder or the file cannot be read or written.
    #[error("{}: {error}; the gateway keeps its own key there: let its user write `state_dir`", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the kernel says.
        error: io::Error,
    },
    /// The file holds no key.
    #[error("{}: {error}; restore the file, or remove it to have a new key: record keys will differ", .path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: KeyError,
    },
}

/// Reads the gateway's own key from `state_dir`; `None` when it is not made yet.
///
/// # Errors
///
/// When it cannot be read, or the file is no key.
pub fn made_own_key(state_dir: &Path) -> Result<Option<Key>, OwnKeyError> {
    let path = state_dir.join(OWN_KEY_FILE);
    match std::fs::read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(OwnKeyError::Io { path, error }),
        Ok(text) => key_of(&text, path).map(Some),
    }
}

/// Reads the gateway's own key from `state_dir`; makes folder and key where there is none.
///
/// # Errors
///
/// When neither can be done, or the file is no key.
pub fn own_key(state_dir: &Path) -> Result<Key, OwnKeyError> {
    if let Some(key) = made_own_key(state_dir)? {
        return Ok(key);
    }
    let path = state_dir.join(OWN_KEY_FILE);
    match make_own_key(state_dir, &path) {
        Ok(text) => key_of(&text, path),
        Err(error) => Err(OwnKeyError::Io { path, error }),
    }
}

fn key_of(text: &[u8], path: PathBuf) -> Result<Key, OwnKeyError> {
    Key::new(OWN_KEY, secret(text)).map_err(|error| OwnKeyError::Key { path, error })
}

/// Hex digits, so that an operator can copy the key to other gateways. The file gets its name when it is whole.
fn make_own_key(state_dir: &Path, path: &Path) -> io::Result<Vec<u8>> {
    let mut random = [0; OWN_KEY_BYTES];
    File::open("/dev/urandom")?.read_exact(&mut random)?;
    let mut text = String::with_capacity(2 * OWN_KEY_BYTES + 1);
    for byte in random {
        let _ = write!(text, "{byte:02x}");
    }
    text.push('\n');
    std::fs::create_dir_all(state_dir)?;
    let unfinished = path.with_extension("new");
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&unfinished, path)?;
    File::open(state_dir)?.sync_all()?;
    Ok(text.into_bytes())
}

impl Reader<'_, '_> {
    pub(super) fn keys(&self, tables: &[Table<'_, '_>]) -> (Vec<Key>, Vec<KeyFile>) {
        let (mut keys, mut files) = (Vec::new(), Vec::<KeyFile>::new());
        for table in tables {
            table.allow_only(&["id", "file", "credential"]);
            let id = table.required_string("id");
            let Some((source, at)) = self.key_source(table) else { continue };
            let Some(id) = id else { continue };
            if files.iter().any(|other| other.id == id.value) {
                self.document.mistake(id.at, format!("two keys are named `{}`: choose another id", id.value));
            }
            match read_key(id.value, &source) {
                Ok(key) => keys.push(key),
                Err(message) => self.document.mistake(at, message),
            }
            files.push(KeyFile { id: id.value.to_owned(), source });
        }
        (keys, files)
    }

    fn key_source(&self, table: &Table<'_, '_>) -> Option<(KeySource, usize)> {
        match (table.string("file"), table.string("credential")) {
            (Some(file), None) => Some((KeySource::File(self.directory.join(file.value)), file.at)),
            (None, Some(name)) => Some((KeySource::Credential(name.value.to_owned()), name.at)),
            (Some(_), Some(name)) => {
                self.document.mistake(name.at, "a key has either `file` or `credential`, not both");
                None
            }
            (None, None) => {
                if !table.has("file") && !table.has("credential") {
                    self.document.mistake(
                        table.at(),
                        "[[key]] needs `file`, or `credential` for a systemd credential",
                    );
                }
                None
            }
        }
    }
}

fn read_key(id: &str, source: &KeySource) -> Result<Key, String> {
    let path = match source {
        KeySource::File(path) => path.clone(),
        KeySource::Credential(name) => {
            let directory = std::env::var_os("CREDENTIALS_DIRECTORY")
                .ok_or("systemd gave no credentials: set LoadCredential= in the unit, or use `file`")?;
            Path::new(&directory).join(name)
        }
    };
    let shown = path.display();
    let bytes = std::fs::read(&path).map_err(|error| format!("{shown}: {error}"))?;
    if bytes.len() > KEY_FILE_BYTES_MAX {
        return Err(format!("{shown}: {} bytes, a key has at most {KEY_FILE_BYTES_MAX}", bytes.len()));
    }
    Key::new(id, secret(&bytes)).map_err(|error| format!("{shown}: {error}"))
}

/// A key file without the line feed at its end.
fn secret(text: &[u8]) -> &[u8] {
    text.strip_suffix(b"\n").unwrap_or(text)
}
