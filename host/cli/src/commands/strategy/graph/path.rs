//! The path that an evaluation took through the parts of a strategy.

use crate::reasons::verdict;
use alchemiser_sandbox::{Explanation, ExplanationDetail, ExplanationEntry};
use dsl::{Part, PartKind};
use std::collections::{BTreeSet, HashMap};

/// Which parts an evaluation went through.
pub struct Path {
    /// For each part of the outline.
    pub is_taken: Vec<bool>,
    /// What decided at a part.
    pub remarks: HashMap<usize, String>,
}

impl Path {
    /// No evaluation.
    pub fn none(outline: &[Part]) -> Self {
        Self {
            is_taken: vec![false; outline.len()],
            remarks: HashMap::new(),
        }
    }

    /// The path that an explanation tells of, as far as it does.
    pub fn taken(outline: &[Part], explanation: &Explanation) -> Self {
        let mut entries: HashMap<(u32, u32), Vec<&ExplanationEntry>> = HashMap::new();
        for entry in &explanation.entries {
            if let Some(place) = entry.place {
                let place = (place.line, place.column);
                entries.entry(place).or_default().push(entry);
            }
        }
        let mut walk = Walk {
            outline,
            entries,
            path: Self::none(outline),
        };
        if !outline.is_empty() {
            walk.follow(0);
        }
        walk.path
    }
}

/// Recurses as deep as a file may be nested.
struct Walk<'a> {
    outline: &'a [Part],
    /// By line and column.
    entries: HashMap<(u32, u32), Vec<&'a ExplanationEntry>>,
    path: Path,
}

impl<'a> Walk<'a> {
    /// Goes through a part and what it holds.
    fn follow(&mut self, index: usize) {
        let outline = self.outline;
        let part = &outline[index];
        self.path.is_taken[index] = true;
        match part.kind {
            PartKind::If { .. } => {
                if let Some(branch) = self.branch(index) {
                    self.follow(branch);
                }
            }
            PartKind::Filter { .. } => {
                if let Some(chosen) = self.chosen(index) {
                    self.choose(part.parts[0], &chosen);
                }
            }
            _ => {
                for &part in &part.parts {
                    self.follow(part);
                }
            }
        }
    }

    /// Goes through what leads to the units that a filter took.
    fn choose(&mut self, index: usize, chosen: &BTreeSet<&'a str>) {
        let outline = self.outline;
        let part = &outline[index];
        match part.kind {
            PartKind::Vector => {
                self.path.is_taken[index] = true;
                for &part in &part.parts {
                    self.choose(part, chosen);
                }
            }
            PartKind::If { .. } => {
                self.path.is_taken[index] = true;
                if let Some(branch) = self.branch(index) {
                    self.choose(branch, chosen);
                }
            }
            PartKind::Filter { .. } => {
                self.path.is_taken[index] = true;
                if let Some(inner) = self.chosen(index) {
                    let both = inner.intersection(chosen).copied().collect();
                    self.choose(part.parts[0], &both);
                }
            }
            // Units may share a name; only those taken are explained.
            PartKind::Asset => {
                if chosen.contains(part.name.as_str()) {
                    self.follow(index);
                }
            }
            _ => {
                if chosen.contains(part.name.as_str()) && self.is_explained(index) {
                    self.follow(index);
                }
            }
        }
    }

    /// Whether the explanation tells of a part or of something in it. Of what
    /// holds nothing but assets without decisions it has nothing to tell.
    fn is_explained(&self, index: usize) -> bool {
        let mut within = vec![index];
        let mut has_something_to_tell = false;
        while let Some(index) = within.pop() {
            let part = &self.outline[index];
            let place = match part.kind {
                PartKind::If { place, .. } => place,
                _ => part.place,
            };
            if self.entries.contains_key(&(place.line, place.column)) {
                return true;
            }
            let is_silent = match part.kind {
                PartKind::Asset | PartKind::Vector => true,
                PartKind::Weight { .. } => part.parts.len() < 2,
                PartKind::Group | PartKind::Filter { .. } | PartKind::If { .. } => false,
            };
            has_something_to_tell |= !is_silent;
            within.extend(&part.parts);
        }
        !has_something_to_tell
    }

    /// The branch that an `if` took.
    fn branch(&mut self, index: usize) -> Option<usize> {
        let outline = self.outline;
        let PartKind::If { place, .. } = outline[index].kind else {
            return None;
        };
        let entries = self.entries.get(&(place.line, place.column))?;
        let (holds, remark) = entries.iter().find_map(|entry| match entry.detail {
            ExplanationDetail::Condition {
                left,
                right,
                holds,
                margin,
            } => Some((holds, verdict(left, right, holds, margin))),
            _ => None,
        })?;
        self.path.remarks.insert(index, remark);
        let branch = usize::from(!holds);
        outline[index].parts.get(branch).copied()
    }

    /// The names of what a filter took.
    fn chosen(&mut self, index: usize) -> Option<BTreeSet<&'a str>> {
        let place = self.outline[index].place;
        let entries = self.entries.get(&(place.line, place.column))?;
        let (names, remark) = entries.iter().find_map(|entry| match &entry.detail {
            ExplanationDetail::Selection {
                ranking,
                chosen,
                margin,
            } => {
                let taken = ranking.iter().take(*chosen as usize);
                let names: BTreeSet<&str> = taken.map(|score| score.name.as_str()).collect();
                let fragile = if margin.fragile { ", fragile" } else { "" };
                Some((
                    names,
                    format!("{chosen} of {} taken{fragile}", ranking.len()),
                ))
            }
            _ => None,
        })?;
        self.path.remarks.insert(index, remark);
        Some(names)
    }
}
