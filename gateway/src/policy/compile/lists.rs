//! The values that detectors look for: files of fingerprints beside the policy.

use std::collections::HashMap;
use std::sync::Arc;

use super::masks::known_keys;
use crate::classify::Trigger;
use crate::classify::declaration::Declaration;
use crate::classify::values::{self, ValueList};
use crate::document::Document;
use crate::policy::References;

/// Bytes that all lists of a policy may have: some four million values. One file more is read before it is known.
const LISTS_BYTES_MAX: usize = 160 << 20;

/// What the secret of lists is derived from a key for.
const PURPOSE: &str = "gateway fingerprints";

/// The secret under which a key's lists are fingerprinted.
pub(in crate::policy) fn secret(key: &crate::mask::Key) -> [u8; 32] {
    key.secret_for(PURPOSE)
}

/// The lists that a policy names. Each file is read once, however many detectors name it.
#[derive(Default)]
pub(super) struct Lists {
    /// By the name in the policy: the list, or what keeps it from being used.
    read: HashMap<String, Result<Arc<ValueList>, String>>,
    /// Bytes of all files so far.
    bytes: usize,
}

impl Lists {
    /// Gives a detector the list that its declaration names; in place of one that cannot be had, an empty one.
    pub(super) fn attach(
        &mut self,
        document: &Document<'_>,
        declaration: &mut Declaration,
        references: &References<'_>,
    ) {
        let Some(file) = &declaration.values else { return };
        let list = self.find(document, &file.value, references).unwrap_or_else(|problem| {
            document.mistake(file.at, problem);
            Arc::new(ValueList::empty())
        });
        let spec = &mut declaration.spec;
        for shape in spec.shapes.iter_mut().filter(|shape| shape.trigger == Some(Trigger::Listed)) {
            shape.pattern = list.pattern();
            spec.max_length = spec.max_length.min(list.match_bytes_max());
        }
        spec.values = Some(list);
    }

    fn find(
        &mut self,
        document: &Document<'_>,
        name: &str,
        references: &References<'_>,
    ) -> Result<Arc<ValueList>, String> {
        if let Some(list) = self.read.get(name) {
            return list.clone();
        }
        if self.bytes > LISTS_BYTES_MAX {
            return Err(format!("the lists before this one have more than {LISTS_BYTES_MAX} bytes together"));
        }
        let list = self.read(document, name, references).map(Arc::new);
        self.read.insert(name.to_owned(), list.clone());
        list
    }

    /// The list in a file, or what keeps it from being used.
    fn read(
        &mut self,
        document: &Document<'_>,
        name: &str,
        references: &References<'_>,
    ) -> Result<ValueList, String> {
        let text = (references.read)(&document.beside(name)).map_err(|error| {
            format!(
                "`{name}` cannot be read: {error}; `gateway policy fingerprint` makes it from a list of values"
            )
        })?;
        self.bytes += text.len();
        let within = |error: values::FileError| format!("{name}:{error}");
        let id = values::key_of(&text).map_err(within)?;
        let key = references.keys.find(id).ok_or_else(|| {
            let known = known_keys(references.keys);
            format!("`{name}` was made under the key `{id}`, and no key is named so; {known}")
        })?;
        ValueList::read(&text, &secret(&key)).map_err(within)?.ok_or_else(|| {
            format!(
                "`{name}` was made under another key than `{id}` is here: name the configuration with its key (`--config`), \
                 or make it again with `gateway policy fingerprint`"
            )
        })
    }
}
