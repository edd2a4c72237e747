//! Many patterns at once.

mod anchors;
mod arrays;
mod bytes;
mod explain;
mod intervals;
mod paths;
mod scan;
mod values;

use std::collections::HashMap;
use std::hash::Hash;

use rustc_hash::FxBuildHasher;
use smallvec::SmallVec;

use crate::event::EventError;
use crate::pattern::{Alternative, Field, Pattern, Test};
use anchors::{Anchors, Candidates, Point, mark};
use arrays::{Place, Steps, Wanted, hold_together};
pub use explain::{Explanation, Mismatch, Reason};
use paths::{PathId, Paths};
use scan::{Found, Leaf, Leaves, scan};
use values::{ValueId, Values};

/// Patterns, each under a key, and the question which of them an event matches.
///
/// An event is read once, and only what some pattern names is looked at. Which
/// patterns can match is found by index, so that their number hardly matters.
/// Adding a pattern takes time in proportion to the pattern, removing it also to
/// how many others are found by the same value; nothing is rebuilt.
///
/// The time for an event is bounded whatever the event is like: nesting is
/// limited to 1,000, every byte is read once, each pattern is tried at most
/// once, and what is spent on all of them is limited
/// ([`EventError::TooManyCombinations`]).
///
/// ```
/// use alchemiser_rules::{Pattern, RuleSet, Scratch};
///
/// let mut rules = RuleSet::new();
/// rules.insert("large", &Pattern::from_json(r#"{"detail":{"qty":[{"numeric":[">",1000]}]}}"#)?);
/// rules.insert("ours", &Pattern::from_json(r#"{"source":[{"prefix":"alchemiser."}]}"#)?);
///
/// let event = br#"{"source":"alchemiser.execution","detail":{"qty":7}}"#;
/// let mut scratch = Scratch::default();
/// let matching: Vec<&str> = rules.matching(event, &mut scratch)?.copied().collect();
/// assert_eq!(matching, ["ours"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct RuleSet<K> {
    rules: Vec<Option<Rule<K>>>,
    unused_rules: Vec<u32>,
    by_key: HashMap<K, u32, FxBuildHasher>,
    alternatives: Vec<Option<Compiled>>,
    unused_alternatives: Vec<u32>,
    paths: Paths,
    values: Values,
    /// How many different values patterns ask for, by path.
    values_at: Vec<u32>,
    anchors: Anchors,
}

#[derive(Clone, Debug)]
struct Rule<K> {
    key: K,
    alternatives: Box<[u32]>,
}

/// An alternative of a pattern, ready to be tried.
#[derive(Clone, Debug)]
struct Compiled {
    rule: u32,
    /// The field that it is anchored at.
    anchor: u32,
    /// In the order of the paths.
    fields: Box<[CompiledField]>,
}

#[derive(Clone, Debug)]
struct CompiledField {
    path: PathId,
    may_be_absent: bool,
    /// The values as they are, of which the field may have one.
    values: SmallVec<[ValueId; 4]>,
    /// All other tests.
    tests: Box<[Test]>,
}

/// Memory for matching, to be used again for the next event. One can serve
/// many rule sets in turn.
#[derive(Debug, Default)]
pub struct Scratch {
    found: Found,
    /// For each leaf, the value that it is.
    values: Vec<ValueId>,
    /// For each value, the event that last had it.
    values_seen: Vec<u32>,
    /// For each alternative, bucket and rule, the event that it was last found
    /// or matched for.
    alternatives_seen: Vec<u32>,
    buckets_seen: Vec<u32>,
    rules_seen: Vec<u32>,
    event: u32,
    candidates: Vec<u32>,
    matched: Vec<u32>,
    folded: Vec<u8>,
    wanted: Vec<Wanted>,
}

impl Scratch {
    /// About how many bytes it holds on to.
    #[must_use]
    pub fn memory(&self) -> usize {
        let words = self.values.capacity()
            + self.values_seen.capacity()
            + self.alternatives_seen.capacity()
            + self.buckets_seen.capacity()
            + self.rules_seen.capacity()
            + self.candidates.capacity()
            + self.matched.capacity();
        let places: usize = self
            .wanted
            .iter()
            .map(|field| field.places.capacity())
            .sum();
        self.found.memory()
            + words * size_of::<u32>()
            + self.folded.capacity()
            + places * size_of::<Place>()
    }

    fn next_event<K>(&mut self, rules: &RuleSet<K>) {
        self.event = self.event.wrapping_add(1);
        if self.event == 0 {
            self.values_seen.clear();
            self.alternatives_seen.clear();
            self.buckets_seen.clear();
            self.rules_seen.clear();
            self.event = 1;
        }
        grow(&mut self.values_seen, rules.values.len());
        grow(&mut self.alternatives_seen, rules.alternatives.len());
        grow(&mut self.buckets_seen, rules.anchors.buckets());
        grow(&mut self.rules_seen, rules.rules.len());
        self.values.clear();
        self.candidates.clear();
        self.matched.clear();
    }
}

fn grow(seen: &mut Vec<u32>, length: usize) {
    if seen.len() < length {
        seen.resize(length, 0);
    }
}

impl<K> Default for RuleSet<K> {
    fn default() -> Self {
        Self {
            rules: Vec::new(),
            unused_rules: Vec::new(),
            by_key: HashMap::default(),
            alternatives: Vec::new(),
            unused_alternatives: Vec::new(),
            paths: Paths::default(),
            values: Values::default(),
            values_at: Vec::new(),
            anchors: Anchors::default(),
        }
    }
}

/// Puts something at an unused place, or at a new one.
fn place<T>(all: &mut Vec<Option<T>>, unused: &mut Vec<u32>, new: T) -> u32 {
    match unused.pop() {
        Some(at) => {
            all[at as usize] = Some(new);
            at
        }
        None => {
            all.push(Some(new));
            (all.len() - 1) as u32
        }
    }
}

impl<K: Eq + Hash + Clone> RuleSet<K> {
    /// A set without rules.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many patterns there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_key.len()
    }

    /// Whether there is no pattern.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }

    /// Adds a pattern under a key, in the place of the one that is there.
    pub fn insert(&mut self, key: K, pattern: &Pattern) {
        self.remove(&key);
        let rule = place(
            &mut self.rules,
            &mut self.unused_rules,
            Rule {
                key: key.clone(),
                alternatives: Box::default(),
            },
        );
        let alternatives: Vec<u32> = pattern
            .alternatives()
            .iter()
            .map(|alternative| self.add(rule, alternative))
            .collect();
        if let Some(rule) = &mut self.rules[rule as usize] {
            rule.alternatives = alternatives.into();
        }
        self.by_key.insert(key, rule);
    }

    /// Removes the pattern under a key; whether there was one.
    pub fn remove(&mut self, key: &K) -> bool {
        let Some(index) = self.by_key.remove(key) else {
            return false;
        };
        if let Some(rule) = self.rules[index as usize].take() {
            for alternative in rule.alternatives {
                self.take_away(alternative);
            }
        }
        self.unused_rules.push(index);
        true
    }

    fn add(&mut self, rule: u32, alternative: &Alternative) -> u32 {
        let fields: Box<[CompiledField]> = alternative
            .fields
            .iter()
            .map(|field| self.add_field(field))
            .collect();
        let anchor = self.rarest(&fields);
        let id = place(
            &mut self.alternatives,
            &mut self.unused_alternatives,
            Compiled {
                rule,
                anchor: anchor as u32,
                fields: Box::default(),
            },
        );
        let field = &fields[anchor];
        for point in field.points() {
            self.anchors.add(field.path, point, id, &mut self.values);
        }
        if let Some(compiled) = &mut self.alternatives[id as usize] {
            compiled.fields = fields;
        }
        id
    }

    fn add_field(&mut self, field: &Field) -> CompiledField {
        let path = self.paths.add(&field.path);
        grow(&mut self.values_at, path.index() + 1);
        let (mut values, mut tests) = (SmallVec::new(), Vec::new());
        for test in field.tests.iter() {
            match self.values.add(path, test) {
                Some((value, new)) => {
                    self.values_at[path.index()] += u32::from(new);
                    values.push(value);
                }
                None => tests.push(test.clone()),
            }
        }
        CompiledField {
            path,
            may_be_absent: field.may_be_absent(),
            values,
            tests: tests.into(),
        }
    }

    /// The field that fewest events are guessed to match.
    fn rarest(&self, fields: &[CompiledField]) -> usize {
        let likelihood = |field: &CompiledField| {
            if field.may_be_absent {
                return f64::MAX;
            }
            let values = self.values_at[field.path.index()];
            let points = field.points().map(|point| point.likelihood(values));
            points.sum::<f64>().min(1.0)
        };
        let all = fields.iter().map(likelihood).enumerate();
        all.min_by(|(_, left), (_, right)| left.total_cmp(right))
            .map_or(0, |(index, _)| index)
    }

    fn take_away(&mut self, id: u32) {
        let Some(compiled) = self.alternatives[id as usize].take() else {
            return;
        };
        self.unused_alternatives.push(id);
        let field = &compiled.fields[compiled.anchor as usize];
        for point in field.points() {
            self.anchors.remove(field.path, point, id, &mut self.values);
        }
        for field in &compiled.fields {
            for value in &field.values {
                let last = self.values.remove(*value);
                self.values_at[field.path.index()] -= u32::from(last);
            }
            self.paths.remove(field.path);
        }
    }

    /// The keys of the patterns that an event matches, in no particular order.
    /// `event` is the whole envelope as EventBridge delivers it (`source`,
    /// `detail-type`, `detail`, …).
    ///
    /// # Errors
    ///
    /// An event that is no JSON object; see [`EventError`]. All of it is
    /// checked, what no pattern names too.
    pub fn matching<'set>(
        &'set self,
        event: &[u8],
        scratch: &'set mut Scratch,
    ) -> Result<impl ExactSizeIterator<Item = &'set K>, EventError> {
        scan(event, &self.paths, &mut scratch.found)?;
        scratch.next_event(self);
        let mut steps = Steps::default();
        self.find_candidates(event, scratch, &mut steps)?;
        for index in 0..scratch.candidates.len() {
            let candidate = scratch.candidates[index];
            let Some(compiled) = &self.alternatives[candidate as usize] else {
                continue;
            };
            if scratch.rules_seen[compiled.rule as usize] != scratch.event
                && compiled.holds(event, scratch, &mut steps)?
            {
                scratch.rules_seen[compiled.rule as usize] = scratch.event;
                scratch.matched.push(compiled.rule);
            }
        }
        let matched = scratch.matched.iter();
        Ok(matched.map(|rule| match &self.rules[*rule as usize] {
            Some(rule) => &rule.key,
            None => unreachable!("an alternative is taken away before its rule"),
        }))
    }

    /// Finds the alternatives that may hold, and the values of the leaves.
    fn find_candidates(
        &self,
        event: &[u8],
        scratch: &mut Scratch,
        steps: &mut Steps,
    ) -> Result<(), EventError> {
        let Scratch {
            found,
            values,
            values_seen,
            alternatives_seen,
            buckets_seen,
            event: number,
            candidates,
            folded,
            ..
        } = scratch;
        let mut candidates = Candidates {
            event: *number,
            alternatives_seen,
            buckets_seen,
            found: candidates,
            looked_at: 0,
        };
        candidates.add(self.anchors.always());
        for (index, leaf) in found.leaves().iter().enumerate() {
            let scalar = found.value(event, leaf);
            let mut value = ValueId::NONE;
            if self.values_at[leaf.path.index()] > 0 {
                value = self.values.of(leaf.path, scalar);
            }
            if value != ValueId::NONE && mark(values_seen, value.index() as u32, *number) {
                candidates.add(self.values.anchored(value));
            }
            values.push(value);
            let first = found.is_first(index, leaf.path);
            let anchors = &self.anchors;
            anchors.find(leaf.path, scalar, first, folded, &mut candidates);
        }
        steps.take(candidates.looked_at)
    }

    /// About how many bytes the set takes. It is bounded by a small multiple
    /// of the text of the patterns, times the combinations of `$or`.
    #[must_use]
    pub fn memory(&self) -> usize {
        let fields: usize = self
            .alternatives
            .iter()
            .flatten()
            .flat_map(|compiled| &compiled.fields)
            .map(CompiledField::memory)
            .sum();
        let rules: usize = self
            .rules
            .iter()
            .flatten()
            .map(|rule| rule.alternatives.len() * size_of::<u32>())
            .sum();
        self.rules.capacity() * size_of::<Option<Rule<K>>>()
            + self.by_key.capacity() * size_of::<(K, u32)>()
            + self.alternatives.capacity() * size_of::<Option<Compiled>>()
            + self.values_at.capacity() * size_of::<u32>()
            + fields
            + rules
            + self.paths.memory()
            + self.values.memory()
            + self.anchors.memory()
    }
}

impl CompiledField {
    /// Where an alternative is anchored at this field.
    fn points(&self) -> impl Iterator<Item = Point> {
        let values = self.values.iter().map(|value| Point::Value(*value));
        values.chain(self.tests.iter().map(Point::of_test))
    }

    /// Whether one of the values as they are is there.
    #[inline]
    fn value_is_there(&self, leaves: &Leaves, scratch: &Scratch) -> bool {
        if leaves.count == 1 {
            // What was just found is nearer than what was marked.
            return self.values.contains(&scratch.values[leaves.first()]);
        }
        let seen = |value: &ValueId| scratch.values_seen[value.index()] == scratch.event;
        self.values.iter().any(seen)
    }

    /// Whether one of the tests holds for some value of the field.
    #[inline]
    fn test_holds(&self, leaves: &Leaves, event: &[u8], found: &Found) -> bool {
        !self.tests.is_empty()
            && found
                .each(leaves)
                .any(|(_, leaf)| self.tests_hold(leaf, event, found))
    }

    #[inline]
    fn tests_hold(&self, leaf: &Leaf, event: &[u8], found: &Found) -> bool {
        let value = found.value(event, leaf);
        self.tests.iter().any(|test| test.holds(value))
    }

    fn memory(&self) -> usize {
        size_of::<Self>()
            + if self.values.spilled() {
                size_of_val(&*self.values)
            } else {
                0
            }
            + self.tests.iter().map(Test::memory).sum::<usize>()
    }
}

impl Compiled {
    /// Whether all fields hold together.
    #[inline]
    fn holds(
        &self,
        event: &[u8],
        scratch: &mut Scratch,
        steps: &mut Steps,
    ) -> Result<bool, EventError> {
        let mut in_arrays = 0;
        // Whether a field that has values, none of which holds, may still be
        // absent from the element that the others choose.
        let mut undecided = false;
        for field in &self.fields {
            let Some(leaves) = scratch.found.of(field.path) else {
                if field.may_be_absent {
                    continue;
                }
                return Ok(false);
            };
            in_arrays += u32::from(leaves.in_arrays);
            if !field.value_is_there(leaves, scratch)
                && !field.test_holds(leaves, event, &scratch.found)
            {
                if !(field.may_be_absent && leaves.in_arrays) {
                    return Ok(false);
                }
                undecided = true;
            }
        }
        if in_arrays < 2 {
            return Ok(!undecided);
        }
        self.hold_together(event, scratch, steps)
    }

    #[cold]
    fn hold_together(
        &self,
        event: &[u8],
        scratch: &mut Scratch,
        steps: &mut Steps,
    ) -> Result<bool, EventError> {
        let mut count = 0;
        for field in &self.fields {
            let Some(leaves) = scratch.found.of(field.path).filter(|of| of.in_arrays) else {
                continue;
            };
            if scratch.wanted.len() == count {
                scratch.wanted.push(Wanted::default());
            }
            steps.take(leaves.count as usize)?;
            let wanted = &mut scratch.wanted[count];
            count += 1;
            wanted.may_be_absent = field.may_be_absent;
            wanted.places.clear();
            for (index, leaf) in scratch.found.each(leaves) {
                let holds = field.values.contains(&scratch.values[index])
                    || field.tests_hold(leaf, event, &scratch.found);
                if holds || field.may_be_absent {
                    wanted.places.push(Place {
                        element: leaf.element,
                        holds,
                    });
                }
            }
        }
        hold_together(&mut scratch.wanted[..count], &scratch.found.elements, steps)
    }
}

impl Pattern {
    /// Whether an event matches. For more than one event or pattern a
    /// [`RuleSet`] is faster.
    ///
    /// # Errors
    ///
    /// An event that is no JSON object; see [`EventError`].
    pub fn matches(&self, event: &[u8]) -> Result<bool, EventError> {
        let mut rules = RuleSet::new();
        rules.insert((), self);
        let mut scratch = Scratch::default();
        let matching = rules.matching(event, &mut scratch)?;
        Ok(matching.len() > 0)
    }
}
