//! Compiling detectors: each alternative of each shape becomes a member of a *group*, whose automaton is run
//! where stage 1 found a place for it.

use std::collections::HashMap;
use std::sync::Arc;

use regex_syntax::hir::Hir;

use super::automaton::{AUTOMATON_BYTES_MAX, ByteSet, Forward};
use super::edges::Edges;
use super::grams::Grams;
use super::hyperscan::{Database, Expression};
use super::numbers::Numbers;
use super::plan::{self, AUTOMATA_BYTES_MAX, Back, Candidates, Literal, Plan, Reach, Refusal};
use super::scan::Scratch;
use super::shapes::{Minimum, Trigger};
use super::validate::Validator;
use super::values::ValueList;
use super::words::{WordSet, Words};
use super::{Context, DetectorSpec, EngineError, SelfTestError, self_test};
use crate::payload::DetectorIndex;

/// Compiled detectors: immutable, shared by all workers.
#[derive(Debug)]
pub struct Engine {
    pub(super) specs: Vec<DetectorSpec>,
    pub(super) groups: Vec<Group>,
    /// For each group.
    pub(super) heads: Vec<Head>,
    /// For each trigger, in the order of [`Trigger::ALL`], its groups.
    pub(super) by_trigger: [Vec<u16>; Trigger::ALL.len()],
    /// Those of [`Trigger::Digits`], by how the number is written.
    pub(super) numbers: Numbers,
    /// Groups by the first bytes of a token.
    pub(super) prefixes: Grams<3>,
    /// Groups by the last letters of a key.
    pub(super) keys: Grams<4>,
    /// The shortest runs of digits that some group needs.
    pub(super) minimum: Minimum,
    /// The lists whose words are looked for, each with its group.
    pub(super) listed: Vec<(u16, Arc<ValueList>)>,
    /// `None` when no detector needs it.
    pub(super) hyperscan: Option<Literals>,
    /// `None` when no detector has context words.
    pub(super) words: Option<Words>,
    /// Whether some detector's findings yield to others.
    pub(super) has_fallback: bool,
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
    /// What every member needs; `None` when they differ.
    pub(super) context: Context,
    /// The members' context words.
    pub(super) keywords: WordSet,
}

/// What of a group is looked at in every place: apart from the rest, so that all fit into few cache lines.
#[derive(Debug)]
pub(super) struct Head {
    /// From the place back to the start; `None` when automata find it.
    pub(super) back: Option<usize>,
    /// Bytes with which a match begins.
    pub(super) first_bytes: ByteSet,
}

impl Head {
    fn of(group: &Group) -> Self {
        let back = match &group.reach {
            Reach::Match(Back::Bytes(length)) => Some(*length),
            _ => None,
        };
        Self { back, first_bytes: group.forward.first_bytes() }
    }
}

/// One alternative of a shape.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) detector: u16,
    /// Which shape of the detector.
    pub(super) shape: u16,
    pub(super) validator: Validator,
    pub(super) context: Context,
    /// Whether the detector has context words against it.
    pub(super) has_not_keywords: bool,
    /// Whether only values of a list are findings.
    pub(super) has_values: bool,
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
            for (shape_index, shape) in spec.shapes.iter().enumerate() {
                let member = member(index, spec, shape_index);
                errors.extend(short_keyword(spec, shape_index));
                let added = plan::plan(shape).and_then(|plans| {
                    plans.into_iter().try_for_each(|plan| draft.add(shape.edges, plan, &member))
                });
                errors.extend(added.err().map(|refusal| error(spec, shape_index, refusal)));
                if draft.automata_bytes > AUTOMATA_BYTES_MAX {
                    return Err(errors);
                }
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
    /// Bytes of the automata that were made so far; bounds both the memory and the time of compiling.
    automata_bytes: usize,
    /// Groups of the pass over shapes that further patterns may join, by what they must share.
    joinable: HashMap<(Trigger, usize, Edges, Context), usize>,
    by_trigger: [Vec<u16>; Trigger::ALL.len()],
    prefixes: Vec<([u8; 3], u16)>,
    minimum: Option<Minimum>,
    expressions: Vec<Expression>,
    targets: Vec<Target>,
    literal_ids: HashMap<Literal, usize>,
}

struct GroupDraft {
    edges: Edges,
    reach: Reach,
    /// The automaton of a single pattern.
    forward: Option<Forward>,
    patterns: Vec<Hir>,
    members: Vec<Member>,
}

impl Draft {
    /// Adds one alternative of a shape.
    fn add(&mut self, edges: Edges, plan: Plan, member: &Member) -> Result<(), Refusal> {
        // Alone it must be small enough; many small ones may be too large together.
        let made = Forward::new(std::slice::from_ref(&plan.pattern));
        // One that is not made for its size took as long as the largest.
        let bytes = made.as_ref().map_or(AUTOMATON_BYTES_MAX, Forward::memory) + plan.reach.memory();
        self.automata_bytes += bytes;
        let forward = made.map_err(|_| plan::too_large())?;
        if self.automata_bytes > AUTOMATA_BYTES_MAX {
            return Err(plan::too_large_together());
        }
        let longest = plan.pattern.properties().maximum_len().unwrap_or(usize::MAX);
        let member = Member { bytes_max: member.bytes_max.min(longest), ..member.clone() };
        let draft = GroupDraft {
            edges,
            reach: plan.reach,
            forward: Some(forward),
            patterns: vec![plan.pattern],
            members: vec![member],
        };
        match plan.candidates {
            Candidates::Shape { trigger, digits, joined, group_max } => {
                if trigger == Trigger::Digits {
                    self.need(digits, joined, group_max);
                }
                self.add_shape(trigger, draft);
            }
            Candidates::Literals(literals) => {
                let group = self.push_group(draft);
                literals.into_iter().for_each(|literal| self.add_literal(literal, group));
            }
            Candidates::Prefixes(prefixes) => {
                let group = self.push_group(draft);
                self.prefixes.extend(prefixes.into_iter().map(|prefix| (prefix, group)));
            }
            Candidates::Expression(expression) => {
                let group = self.push_group(draft);
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

    fn add_shape(&mut self, trigger: Trigger, draft: GroupDraft) {
        let key = match (&draft.reach, draft.members.as_slice()) {
            (Reach::Match(Back::Bytes(length)), [member]) => {
                Some((trigger, *length, draft.edges, member.context))
            }
            _ => None,
        };
        let joined = key.and_then(|key| self.joinable.get(&key)).and_then(|at| self.groups.get_mut(*at));
        if let Some(joined) = joined {
            joined.forward = None;
            joined.patterns.extend(draft.patterns);
            joined.members.extend(draft.members);
            return;
        }
        let group = self.push_group(draft);
        self.by_trigger[trigger as usize].push(group);
        if let Some(key) = key {
            self.joinable.insert(key, usize::from(group));
        }
    }

    fn push_group(&mut self, draft: GroupDraft) -> u16 {
        self.groups.push(draft);
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
                let member = group.and_then(|group| group.members.first());
                let spec = member.and_then(|member| specs.get(usize::from(member.detector)));
                EngineError {
                    detector: spec.map_or_else(String::new, |spec| spec.id.clone()),
                    shape: member.map_or(0, |member| usize::from(member.shape)),
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
        let words = words(specs);
        let mut groups = Vec::new();
        for draft in self.groups {
            groups.push(draft.finish(words.as_ref()).map_err(|refusal| {
                vec![EngineError {
                    detector: "the group".to_owned(),
                    shape: 0,
                    problem: refusal.problem,
                    advice: refusal.advice,
                }]
            })?);
        }
        let mut prefixes = Grams::new();
        self.prefixes.iter().for_each(|(prefix, group)| prefixes.insert(*prefix, *group));
        let keys = keys(specs, &groups, &self.by_trigger[Trigger::Key as usize]);
        let listed = listed(specs, &groups, &self.by_trigger[Trigger::Listed as usize]);
        Ok(Engine {
            specs: specs.to_vec(),
            numbers: Numbers::new(&groups, &self.by_trigger[Trigger::Digits as usize]),
            prefixes,
            keys,
            listed,
            heads: groups.iter().map(Head::of).collect(),
            groups,
            by_trigger: self.by_trigger,
            minimum: self.minimum.unwrap_or(NO_MINIMUM),
            hyperscan,
            words,
            has_fallback: specs.iter().any(|spec| spec.fallback),
        })
    }
}

impl GroupDraft {
    fn finish(self, words: Option<&Words>) -> Result<Group, Refusal> {
        let forward = match self.forward {
            Some(forward) => forward,
            None => Forward::new(&self.patterns).map_err(|_| plan::too_large())?,
        };
        let bytes_max = self.members.iter().map(|member| member.bytes_max).max().unwrap_or(0);
        let owners = self.members.iter().map(|member| keyword_owner(member.detector));
        let keywords = words.map_or_else(WordSet::default, |words| words.of_owners(owners));
        let first = self.members.first().map_or(Context::None, |member| member.context);
        let context =
            if self.members.iter().all(|member| member.context == first) { first } else { Context::None };
        Ok(Group {
            edges: self.edges,
            reach: self.reach,
            forward,
            members: self.members,
            bytes_max,
            context,
            keywords,
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

fn member(index: u16, spec: &DetectorSpec, shape_index: usize) -> Member {
    let shape = &spec.shapes[shape_index];
    Member {
        detector: index,
        shape: u16::try_from(shape_index).unwrap_or(u16::MAX),
        validator: shape.validator,
        context: shape.context,
        has_not_keywords: !spec.not_keywords.is_empty(),
        has_values: spec.values.is_some(),
        bytes_max: spec.max_length as usize,
    }
}

/// The owner of a detector's context words; the next one owns the words against it.
pub(super) fn keyword_owner(detector: u16) -> u16 {
    2 * detector
}

/// The groups that look at the values of keys, by the last letters of their keywords and of the plurals.
fn keys(specs: &[DetectorSpec], groups: &[Group], keyed: &[u16]) -> Grams<4> {
    let mut keys = Grams::new();
    for group in keyed {
        let members = groups.get(usize::from(*group)).into_iter().flat_map(|group| &group.members);
        let specs = members.filter_map(|member| specs.get(usize::from(member.detector)));
        for word in specs.flat_map(|spec| &spec.keywords) {
            let letters: Vec<u8> = word.bytes().filter(u8::is_ascii_alphabetic).collect();
            let plural = [letters.as_slice(), b"s"].concat();
            for end in [letters, plural].iter().flat_map(|letters| key_ends(letters)) {
                keys.insert(end, *group);
            }
        }
    }
    keys
}

/// The last four letters of the keys that end in these letters: before three, any may stand, or none.
fn key_ends(letters: &[u8]) -> Vec<[u8; 4]> {
    match (letters.last_chunk(), letters) {
        (Some(four), _) => vec![*four],
        (None, [one, two, three]) => {
            (b'a'..=b'z').chain([0]).map(|before| [before, *one, *two, *three]).collect()
        }
        _ => Vec::new(),
    }
}

/// The lists of the groups that look for their words.
fn listed(specs: &[DetectorSpec], groups: &[Group], listing: &[u16]) -> Vec<(u16, Arc<ValueList>)> {
    let members = listing.iter().flat_map(|group| {
        groups[usize::from(*group)].members.iter().map(|member| (*group, usize::from(member.detector)))
    });
    members.filter_map(|(group, detector)| Some((group, specs[detector].values.clone()?))).collect()
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

fn error(spec: &DetectorSpec, shape: usize, refusal: Refusal) -> EngineError {
    EngineError { detector: spec.id.clone(), shape, problem: refusal.problem, advice: refusal.advice }
}

/// A key is recognised by its last letters, three at least.
fn short_keyword(spec: &DetectorSpec, shape: usize) -> Option<EngineError> {
    let is_short = |word: &&String| word.bytes().filter(u8::is_ascii_alphabetic).count() < 3;
    let short = spec.keywords.iter().find(is_short).filter(|_| spec.shapes[shape].context == Context::Key)?;
    Some(EngineError {
        detector: spec.id.clone(),
        shape,
        problem: format!("the keyword `{short}` is too short to be the end of a key"),
        advice: "use three letters or more".to_owned(),
    })
}

fn too_many(spec: &DetectorSpec) -> EngineError {
    EngineError {
        detector: spec.id.clone(),
        shape: 0,
        problem: format!("there are more than {DETECTORS_MAX} detectors"),
        advice: "use one detector with alternatives".to_owned(),
    }
}
