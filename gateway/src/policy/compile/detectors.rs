//! The detectors that a policy may name: built-in ones and its own.

use super::lists::Lists;
use super::{ID_RULE, is_id};
use crate::classify::declaration::Declaration;
use crate::classify::{DetectorSpec, Engine, EngineError, Family, catalog};
use crate::document::{Document, Located, Table, nearest, suggestion};
use crate::payload::DetectorIndex;
use crate::policy::References;

/// Most detectors of one policy.
const DETECTORS_MAX: usize = 4096;

/// All detectors that rules may name, and those that they do name.
pub(super) struct Detectors {
    own: Vec<Declaration>,
    /// Those that rules name; `DetectorIndex` is the position.
    used: Vec<DetectorSpec>,
    /// Where each used detector is first named or, when it is the policy's own, declared.
    used_at: Vec<usize>,
}

impl Detectors {
    pub(super) fn read(
        document: &Document<'_>,
        tables: &[Table<'_, '_>],
        references: &References<'_>,
    ) -> Self {
        let mut detectors = Self { own: Vec::new(), used: Vec::new(), used_at: Vec::new() };
        let mut lists = Lists::default();
        for table in tables {
            if let Some(mut own) = detectors.read_own(document, table) {
                lists.attach(document, &mut own, references);
                detectors.own.push(own);
            }
        }
        detectors
    }

    /// The canaries, used from now on whether rules name them or not.
    pub(super) fn canaries(&mut self, document: &Document<'_>) -> Vec<DetectorIndex> {
        let canaries = self.own.iter().filter(|own| own.spec.canary);
        let ids: Vec<(usize, String)> = canaries.map(|own| (own.shapes_at[0], own.spec.id.clone())).collect();
        ids.iter().filter_map(|(at, id)| self.find(document, Located { at: *at, value: id })).collect()
    }

    /// The detectors that an entry of a rule names: one, or with `FAMILY/*` all of a family; a mistake when there
    /// is none.
    pub(super) fn find_all(&mut self, document: &Document<'_>, name: Located<&str>) -> Vec<DetectorIndex> {
        let Some(family) = name.value.strip_suffix("/*") else {
            return self.find(document, name).into_iter().collect();
        };
        let own = self.own.iter().map(|own| &own.spec);
        let members = own.chain(catalog::builtin()).filter(|spec| spec.family.as_str() == family);
        let ids: Vec<String> = members.map(|spec| spec.id.clone()).collect();
        let found: Vec<DetectorIndex> =
            ids.iter().filter_map(|id| self.find(document, Located { at: name.at, value: id })).collect();
        if found.is_empty() {
            let known = Family::NAMES.map(|(name, _)| name);
            let hint = suggestion(family, &known);
            document.mistake(name.at, format!("no detector has the family `{family}`{hint}"));
        }
        found
    }

    /// The index of the detector of that name; a mistake when there is none.
    fn find(&mut self, document: &Document<'_>, name: Located<&str>) -> Option<DetectorIndex> {
        if let Some(position) = self.used.iter().position(|spec| spec.id == name.value) {
            return u16::try_from(position).ok().map(DetectorIndex);
        }
        let own = self.own.iter().find(|own| own.spec.id == name.value);
        let built_in = catalog::builtin().iter().find(|spec| spec.id == name.value);
        let Some(spec) = own.map(|own| &own.spec).or(built_in) else {
            document.mistake(name.at, self.unknown(name.value));
            return None;
        };
        if self.used.len() == DETECTORS_MAX {
            document.mistake(name.at, format!("a policy uses at most {DETECTORS_MAX} detectors"));
            return None;
        }
        self.used.push(spec.clone());
        self.used_at.push(own.map_or(name.at, |own| own.shapes_at[0]));
        u16::try_from(self.used.len() - 1).ok().map(DetectorIndex)
    }

    /// The detectors that rules name.
    pub(super) fn used(&self) -> &[DetectorSpec] {
        &self.used
    }

    /// Where to report what is wrong with a used detector.
    pub(super) fn at(&self, detector: DetectorIndex) -> usize {
        self.used_at.get(usize::from(detector.0)).copied().unwrap_or_default()
    }

    /// Where each of the detectors that rules name stands.
    pub(super) fn used_at(self) -> Vec<usize> {
        self.used_at
    }

    /// Compiles what rules name. Own detectors that no rule names are compiled, too, and forgotten, so that
    /// their mistakes are known before a rule is written.
    pub(super) fn compile(&self, document: &Document<'_>) -> Option<Engine> {
        let is_used = |own: &&Declaration| self.used.iter().any(|spec| spec.id == own.spec.id);
        let unused: Vec<_> =
            self.own.iter().filter(|own| !is_used(own)).map(|own| own.spec.clone()).collect();
        if !unused.is_empty() {
            self.compile_specs(document, &unused);
        }
        self.compile_specs(document, &self.used)
    }

    fn compile_specs(&self, document: &Document<'_>, specs: &[DetectorSpec]) -> Option<Engine> {
        match Engine::compile(specs) {
            Ok(engine) => Some(engine),
            Err(errors) => {
                for error in errors {
                    document.mistake(self.at_error(&error), error.to_string());
                }
                None
            }
        }
    }

    fn at_error(&self, error: &EngineError) -> usize {
        let own = self.own.iter().find(|own| own.spec.id == error.detector);
        let used = self.used.iter().position(|spec| spec.id == error.detector);
        let used = used.map(|position| self.used_at[position]);
        own.map(|own| own.shapes_at[error.shape]).or(used).unwrap_or_default()
    }

    fn unknown(&self, name: &str) -> String {
        let own = self.own.iter().map(|own| own.spec.id.as_str());
        let known: Vec<&str> = own.chain(catalog::builtin().iter().map(|spec| spec.id.as_str())).collect();
        let hint = nearest(name, &known).map_or(String::new(), |near| format!("; did you mean `{near}`?"));
        format!("no detector is named `{name}`{hint} (`gateway detectors` lists the built-in ones)")
    }

    fn read_own(&self, document: &Document<'_>, table: &Table<'_, '_>) -> Option<Declaration> {
        let mut declaration = Declaration::read(table)?;
        self.check_id(document, Located { at: table.at_key("id"), value: &declaration.spec.id });
        for (shape, declared) in table.tables("shape").iter().zip(&mut declaration.spec.shapes) {
            if declared.trigger.take().is_some() {
                let message = "`trigger` serves the built-in detectors: for a pattern of one's own the place to \
                               look at is found by itself";
                shape.mistake("trigger", message);
            }
        }
        Some(declaration)
    }

    fn check_id(&self, document: &Document<'_>, id: Located<&str>) {
        let name = id.value;
        if !is_id(name) {
            document.mistake(id.at, format!("`{name}`: {ID_RULE}"));
        } else if self.own.iter().any(|own| own.spec.id == name) {
            document.mistake(id.at, format!("two detectors are named `{name}`: choose another id"));
        } else if catalog::builtin().iter().any(|spec| spec.id == name) {
            document.mistake(id.at, format!("`{name}` is a built-in detector: choose another id"));
        }
    }
}
