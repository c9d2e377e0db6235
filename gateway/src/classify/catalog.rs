//! The built-in detectors, declared in `policies/detectors/*.toml` and embedded in the binary.

use super::DetectorSpec;

/// All built-in detectors, in the order of their declaration.
pub fn builtin() -> &'static [DetectorSpec] {
    todo!()
}
