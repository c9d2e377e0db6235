//! Compiling detectors: each alternative of each shape becomes a member of a *group*, whose automaton is run
//! where stage 1 found a place for it.

use std::collections::HashMap;

use regex_syntax::hir::Hir;

use super::automaton::Forward;
use super::context::Words;
use super::edges::Edges;
use super::hyperscan::{Database, Expression};
use super::plan::{self, Candidates, Literal, Plan, Reach, Refusal};
use super::scan::Scratch;
use super::shapes::{Minimum, Trigger};
use super::validate::Validator;
use super::{Context, DetectorSpec, EngineError, SelfTestError, self_test};
use crate::payload::DetectorIndex;

/// Compiled detectors: immutable, shared by all workers.
#[derive(Debug)]
pub struct Engine {
    pub(super) specs: Vec<DetectorSpec>,
    pub(super) groups: Vec<Group>,
    /// For each trigger, in the order of [`Trigger::ALL`], its groups.
    pub(super) by_trigger: [Vec<u16>; Trigger::ALL.len()],
    /// The shortest runs of digits that some group needs.
    pub(super) minimum: Minimum,
    /// `None` when no detector needs it.
    pub(super) hyperscan: Option<Literals>,
    /// `None` when no detector has context words.
    pub(super) words: Option<Words>,
}

/// What Hyperscan looks for.
#[derive(Debug)]
pub(super) struct Literals {
    pub(super) database: Database,
    /// For each expression id.
    pub(super) targets: Vec<Target>,
}

/// What a match of one expression means.
#[derive(Debug)]
pub(super) struct Target {
    /// From the end of the match back to the place.
    pub(super) length: usize,
    /// Whose place it is.
    pub(super) groups: Vec<u16>,
}

/// Patterns that start at the same places and are tried by one automaton.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) edges: Edges,
    pub(super) reach: Reach,
    pub(super) forward: Forward,
    /// For each pattern of the automaton.
    pub(super) members: Vec<Member>,
    /// Longest match of any member, bytes.
    pub(super) bytes_max: usize,
    /// Whether every member needs a context word.
    pub(super) needs_context: bool,
    /// The owners of the members' context words.
    pub(super) keyword_owners: Vec<u16>,
}

/// One alternative of a shape.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) detector: u16,
    pub(super) validator: Validator,
    pub(super) context: Context,
    /// Whether the detector has context words against it.
    pub(super) has_not_keywords: bool,
    /// Longest match, bytes.
    pub(super) bytes_max: usize,
}

impl Engine {
    /// Compiles `specs`; `DetectorIndex` of a finding is the position in `specs`.
    ///
    /// # Errors
    ///
    /// Every detector that cannot be compiled, with the form that can.
    pub fn compile(specs: &[DetectorSpec]) -> Result<Self, Vec<EngineError>> {
        let mut draft = Draft::default();
        let mut errors: Vec<EngineError> = Vec::new();
        for (index, spec) in specs.iter().enumerate() {
            let index = u16::try_from(index).ok().filter(|index| *index < DETECTORS_MAX);
            let index = index.ok_or_else(|| vec![too_many(spec)])?;
            for shape in &spec.shapes {
                let member = member(index, spec, shape);
                let added = plan::plan(&shape.pattern, shape.trigger).and_then(|plans| {
                    plans.into_iter().try_for_each(|plan| draft.add(shape.edges, plan, &member))
                });
                errors.extend(added.err().map(|refusal| error(spec, refusal)));
            }
        }
        let assembled = if errors.is_empty() { draft.assemble(specs) } else { Err(Vec::new()) };
        assembled.map_err(|more| errors.into_iter().chain(more).collect())
    }

    /// The detector that made a finding.
    ///
    /// # Panics
    ///
    /// When `index` comes from another engine.
    pub fn detector(&self, index: DetectorIndex) -> &DetectorSpec {
        &self.specs[usize::from(index.0)]
    }

    /// The detectors, in the order of their index.
    pub fn detectors(&self) -> &[DetectorSpec] {
        &self.specs
    }

    /// Memory for scans with this engine; one per worker.
    pub fn scratch(&self) -> Scratch {
        Scratch::new(self)
    }

    /// Bytes of the automata of the confirm step.
    pub fn automata_bytes(&self) -> usize {
        self.groups.iter().map(|group| group.forward.memory()).sum()
    }

    /// Checks the linked pattern matcher: version, processor, and known vectors.
    ///
    /// # Errors
    ///
    /// When it is not the one that was tested: the caller refuses to serve.
    pub fn self_test() -> Result<(), SelfTestError> {
        self_test::run()
    }
}

/// The groups before their automata are made.
#[derive(Default)]
struct Draft {
    groups: Vec<GroupDraft>,
    /// Groups of the pass over shapes that further patterns may join, by what they must share.
    joinable: HashMap<(Trigger, usize, Edges, Context), usize>,
    by_trigger: [Vec<u16>; Trigger::ALL.len()],
    minimum: Option<Minimum>,
    expressions: Vec<Expression>,
    targets: Vec<Target>,
    literal_ids: HashMap<Literal, usize>,
}

struct GroupDraft {
    edges: Edges,
    reach: Reach,
    patterns: Vec<Hir>,
    members: Vec<Member>,
}

impl Draft {
    /// Adds one alternative of a shape.
    fn add(&mut self, edges: Edges, plan: Plan, member: &Member) -> Result<(), Refusal> {
        // Alone it must be small enough; many small ones may be too large together.
        Forward::new(std::slice::from_ref(&plan.pattern)).map_err(|_| plan::too_large())?;
        match plan.candidates {
            Candidates::Shape { trigger, digits, joined, group_max } => {
                if trigger == Trigger::Digits {
                    self.need(digits, joined, group_max);
                }
                self.add_shape(trigger, edges, plan.pattern, plan.reach, member);
            }
            Candidates::Literals(literals) => {
                let group = self.push_group(edges, plan.pattern, plan.reach, member);
                literals.into_iter().for_each(|literal| self.add_literal(literal, group));
            }
            Candidates::Expression(expression) => {
                let group = self.push_group(edges, plan.pattern, plan.reach, member);
                self.expressions.push(expression);
                self.targets.push(Target { length: 0, groups: vec![group] });
            }
        }
        Ok(())
    }

    /// Lowers the shortest runs of digits so that a pattern that begins with these is not missed.
    fn need(&mut self, digits: usize, joined: usize, group_max: usize) {
        let minimum = self.minimum.get_or_insert(NO_MINIMUM);
        if digits >= DIGITS_MIN {
            minimum.digits = minimum.digits.min(digits as u32);
        } else {
            minimum.separated = minimum.separated.min(joined as u32);
            minimum.group_max = minimum.group_max.max(group_max.min(GROUP_MAX) as u32);
        }
    }

    fn add_shape(&mut self, trigger: Trigger, edges: Edges, pattern: Hir, reach: Reach, member: &Member) {
        let key = match reach {
            Reach::Back(length) => Some((trigger, length, edges, member.context)),
            Reach::Reverse(_) => None,
        };
        if let Some(draft) =
            key.and_then(|key| self.joinable.get(&key)).and_then(|at| self.groups.get_mut(*at))
        {
            draft.patterns.push(pattern);
            draft.members.push(member.clone());
            return;
        }
        let group = self.push_group(edges, pattern, reach, member);
        self.by_trigger[trigger as usize].push(group);
        if let Some(key) = key {
            self.joinable.insert(key, usize::from(group));
        }
    }

    fn push_group(&mut self, edges: Edges, pattern: Hir, reach: Reach, member: &Member) -> u16 {
        self.groups.push(GroupDraft { edges, reach, patterns: vec![pattern], members: vec![member.clone()] });
        u16::try_from(self.groups.len() - 1).expect("compile() bounds the detectors, and each has few shapes")
    }

    fn add_literal(&mut self, literal: Literal, group: u16) {
        let id = *self.literal_ids.entry(literal.clone()).or_insert(self.expressions.len());
        if id == self.expressions.len() {
            self.expressions.push(literal.expression());
            self.targets.push(Target { length: literal.bytes.len(), groups: Vec::new() });
        }
        if let Some(target) = self.targets.get_mut(id) {
            target.groups.push(group);
        }
    }

    fn assemble(self, specs: &[DetectorSpec]) -> Result<Engine, Vec<EngineError>> {
        let hyperscan = if self.expressions.is_empty() {
            None
        } else {
            let database = Database::compile(&self.expressions);
            let blame = |failure: super::hyperscan::CompileFailure| {
                let target = failure.expression.and_then(|index| self.targets.get(index));
                let group = target.and_then(|target| self.groups.get(usize::from(*target.groups.first()?)));
                let spec = group.and_then(|group| specs.get(usize::from(group.members.first()?.detector)));
                EngineError {
                    detector: spec.map_or_else(String::new, |spec| spec.id.clone()),
                    problem: format!("Hyperscan refuses the pattern: {}", failure.message),
                    advice: "begin it with a literal of three bytes or more, or bound its repetitions"
                        .to_owned(),
                }
            };
            Some(Literals {
                database: database.map_err(|failure| vec![blame(failure)])?,
                targets: self.targets,
            })
        };
        let mut groups = Vec::new();
        for draft in self.groups {
            groups.push(draft.finish().map_err(|refusal| {
                vec![EngineError {
                    detector: "the group".to_owned(),
                    problem: refusal.problem,
                    advice: refusal.advice,
                }]
            })?);
        }
        Ok(Engine {
            specs: specs.to_vec(),
            groups,
            by_trigger: self.by_trigger,
            minimum: self.minimum.unwrap_or(NO_MINIMUM),
            hyperscan,
            words: words(specs),
        })
    }
}

impl GroupDraft {
    fn finish(self) -> Result<Group, Refusal> {
        let forward = Forward::new(&self.patterns).map_err(|_| plan::too_large())?;
        let bytes_max = self.members.iter().map(|member| member.bytes_max).max().unwrap_or(0);
        let mut keyword_owners: Vec<u16> =
            self.members.iter().map(|member| keyword_owner(member.detector)).collect();
        keyword_owners.dedup();
        let needs_context = self.members.iter().all(|member| member.context == Context::Required);
        Ok(Group {
            edges: self.edges,
            reach: self.reach,
            forward,
            members: self.members,
            bytes_max,
            needs_context,
            keyword_owners,
        })
    }
}

/// Most detectors of one engine: a detector owns two numbers of 16 bits.
const DETECTORS_MAX: u16 = 1 << 14;
/// Fewer leading digits than this are looked for together with their separators.
const DIGITS_MIN: usize = 7;
/// Longer than any run that a detector needs.
const NO_MINIMUM: Minimum = Minimum { digits: 16, separated: 16, group_max: 3 };
/// First groups of digits this long are not told from longer ones.
const GROUP_MAX: usize = 15;

fn member(index: u16, spec: &DetectorSpec, shape: &super::Shape) -> Member {
    Member {
        detector: index,
        validator: shape.validator,
        context: shape.context,
        has_not_keywords: !spec.not_keywords.is_empty(),
        bytes_max: spec.max_length as usize,
    }
}

/// The owner of a detector's context words; the next one owns the words against it.
pub(super) fn keyword_owner(detector: u16) -> u16 {
    2 * detector
}

/// The context words of all detectors: owner `2 d` looks for a keyword of detector `d`, `2 d + 1` for a word
/// against it.
fn words(specs: &[DetectorSpec]) -> Option<Words> {
    let mut owners: HashMap<&str, Vec<u16>> = HashMap::new();
    for (owner, spec) in (0..).step_by(2).zip(specs) {
        spec.keywords.iter().for_each(|word| owners.entry(word).or_default().push(owner));
        spec.not_keywords.iter().for_each(|word| owners.entry(word).or_default().push(owner + 1));
    }
    let mut words: Vec<(String, Vec<u16>)> =
        owners.into_iter().map(|(word, owners)| (word.to_owned(), owners)).collect();
    words.sort_unstable();
    Words::new(&words)
}

fn error(spec: &DetectorSpec, refusal: Refusal) -> EngineError {
    EngineError { detector: spec.id.clone(), problem: refusal.problem, advice: refusal.advice }
}

fn too_many(spec: &DetectorSpec) -> EngineError {
    EngineError {
        detector: spec.id.clone(),
        problem: format!("there are more than {DETECTORS_MAX} detectors"),
        advice: "use one detector with alternatives".to_owned(),
    }
}
