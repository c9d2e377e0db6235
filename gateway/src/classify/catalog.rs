//! The built-in detectors, declared in `policies/detectors/*.toml` and embedded in the binary.

use std::path::Path;
use std::sync::LazyLock;

use super::DetectorSpec;
use super::declaration::Declaration;
use crate::diagnostic::Diagnostic;
use crate::document::{Document, Table};

/// The declarations, file by file, in the order in which detectors are listed.
const FILES: &[(&str, &str)] = &[
    ("payment.toml", include_str!("../../../policies/detectors/payment.toml")),
    ("person.toml", include_str!("../../../policies/detectors/person.toml")),
    ("identity/america.toml", include_str!("../../../policies/detectors/identity/america.toml")),
    ("identity/british_isles.toml", include_str!("../../../policies/detectors/identity/british_isles.toml")),
    (
        "identity/western_europe.toml",
        include_str!("../../../policies/detectors/identity/western_europe.toml"),
    ),
    (
        "identity/southern_europe.toml",
        include_str!("../../../policies/detectors/identity/southern_europe.toml"),
    ),
    (
        "identity/northern_europe.toml",
        include_str!("../../../policies/detectors/identity/northern_europe.toml"),
    ),
    (
        "identity/eastern_europe.toml",
        include_str!("../../../policies/detectors/identity/eastern_europe.toml"),
    ),
    ("identity/south_asia.toml", include_str!("../../../policies/detectors/identity/south_asia.toml")),
    ("identity/east_asia.toml", include_str!("../../../policies/detectors/identity/east_asia.toml")),
    (
        "identity/africa_oceania.toml",
        include_str!("../../../policies/detectors/identity/africa_oceania.toml"),
    ),
    ("identity/travel.toml", include_str!("../../../policies/detectors/identity/travel.toml")),
    ("health.toml", include_str!("../../../policies/detectors/health.toml")),
    ("network.toml", include_str!("../../../policies/detectors/network.toml")),
    ("secret/generic.toml", include_str!("../../../policies/detectors/secret/generic.toml")),
    ("secret/cloud.toml", include_str!("../../../policies/detectors/secret/cloud.toml")),
    ("secret/code.toml", include_str!("../../../policies/detectors/secret/code.toml")),
    ("secret/service.toml", include_str!("../../../policies/detectors/secret/service.toml")),
    ("secret/finance.toml", include_str!("../../../policies/detectors/secret/finance.toml")),
    ("secret/messaging.toml", include_str!("../../../policies/detectors/secret/messaging.toml")),
    ("secret/ai.toml", include_str!("../../../policies/detectors/secret/ai.toml")),
    ("secret/observability.toml", include_str!("../../../policies/detectors/secret/observability.toml")),
];

static BUILTIN: LazyLock<Vec<DetectorSpec>> = LazyLock::new(|| {
    let parse = |(name, source): &(&str, &str)| match read(name, source) {
        Ok(specs) => specs,
        Err(mistakes) => unreachable!("{name} is embedded and read by a test: {mistakes:?}"),
    };
    FILES.iter().flat_map(parse).collect()
});

/// One file of declarations.
fn read(name: &str, source: &str) -> Result<Vec<DetectorSpec>, Vec<Diagnostic>> {
    let document = Document::new(Path::new(name), source);
    let root = document.parse();
    let root = Table::root(&document, &root);
    let declarations = root.tables("detector");
    let specs =
        declarations.iter().filter_map(Declaration::read).map(|declaration| declaration.spec).collect();
    root.allow_only(&["detector"]);
    document.finish(Some(specs))
}

/// All built-in detectors, in the order of their declaration.
pub fn builtin() -> &'static [DetectorSpec] {
    &BUILTIN
}

/// The built-in detector of that id.
pub fn find(id: &str) -> Option<&'static DetectorSpec> {
    builtin().iter().find(|spec| spec.id == id)
}

#[cfg(test)]
mod tests {
    use super::super::tests::scan_line;
    use super::*;
    use crate::classify::plan::AUTOMATA_BYTES_MAX;
    use crate::classify::{Engine, Family};

    #[test]
    fn ids_are_unique_and_levels_known() {
        for (index, spec) in builtin().iter().enumerate() {
            let levels = ["public", "internal", "confidential", "regulated"];
            assert_ne!(spec.family, Family::Custom, "{}", spec.id);
            assert!(levels.contains(&spec.default_level.as_str()), "{}", spec.id);
            assert!(
                builtin()[..index].iter().all(|other| other.id != spec.id),
                "{} is declared twice",
                spec.id
            );
            assert!(!spec.matches.is_empty() && !spec.rejects.is_empty(), "{} has examples", spec.id);
        }
    }

    #[test]
    fn every_detector_finds_its_examples_and_nothing_in_its_counterexamples() {
        let mut wrong = Vec::new();
        for spec in builtin() {
            let engine = match Engine::compile(std::slice::from_ref(spec)) {
                Ok(engine) => engine,
                Err(errors) => {
                    wrong.extend(errors.iter().map(ToString::to_string));
                    continue;
                }
            };
            let finds = |text: &&String| !scan_line(&engine, text).is_empty();
            let missed = spec.matches.iter().filter(|text| !finds(text));
            wrong.extend(missed.map(|text| format!("{}: nothing found in {text:?}", spec.id)));
            let found = spec.rejects.iter().filter(finds);
            wrong.extend(found.map(|text| format!("{}: found something in {text:?}", spec.id)));
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
    }
    /// Each number has one name: the words and checks of the detectors keep them apart.
    #[test]
    fn the_examples_of_a_number_are_found_by_no_other_detector() {
        let engine = Engine::compile(builtin()).unwrap();
        for spec in builtin().iter().filter(|spec| spec.family != Family::Secret) {
            for example in &spec.matches {
                for (id, value) in scan_line(&engine, example) {
                    let is_card_of_track = spec.id == "magnetic_track" && id == "credit_card";
                    assert!(id == spec.id || is_card_of_track, "{id} in {example:?} of {}: {value}", spec.id);
                }
            }
        }
    }

    #[test]
    fn policies_have_room_for_eight_times_the_automata() {
        let engine = Engine::compile(builtin()).unwrap();
        assert!(8 * engine.automata_bytes() <= AUTOMATA_BYTES_MAX, "{}", engine.automata_bytes());
    }

    /// A detector that lowers them costs the pass more places in every timestamp and counter.
    #[test]
    fn the_pass_over_digits_looks_for_long_runs_only() {
        let engine = Engine::compile(builtin()).unwrap();
        assert!(engine.minimum.digits >= 7, "{:?}", engine.minimum);
        assert!(engine.minimum.separated >= 11, "{:?}", engine.minimum);
    }
}
