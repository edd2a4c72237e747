//! What came of a scenario.

use crate::answer::Difference;
use crate::file::Budget;
use crate::update::Change;
use alchemiser_events::SessionDate;
use alchemiser_market::Session;
use alchemiser_sandbox::Usage;
use serde::Serialize;
use std::time::Duration;

/// What came of a scenario.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// What is wrong; empty when the scenario passed.
    pub findings: Vec<Finding>,
    /// What it took.
    pub cost: Cost,
}

impl Report {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.findings.is_empty()
    }
}

/// Something that is wrong.
#[derive(Clone, Debug)]
pub struct Finding {
    /// What sort of thing.
    pub kind: FindingKind,
    /// The line of the expectation that it is about, from 1.
    pub line: Option<usize>,
    /// The session that it is about.
    pub place: Option<Place>,
    /// What is wrong, and what to do.
    pub message: String,
    /// Where what was expected and what there is differ.
    pub differences: Vec<Difference>,
    /// What would make the file expect what there is, where that is all that
    /// is wrong.
    pub change: Option<Change>,
}

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FindingKind {
    /// The answer is another than the one expected.
    Expectation,
    /// There is nothing to compare the answer with.
    Unfilled,
    /// The plugin crashed, exceeded a limit, or did what it must not.
    Defect,
    /// The answer depends on what was asked before.
    EarlierCalls,
    /// The answer depends on prices after the session.
    Future,
    /// A call needed more than the scenario's budget.
    Budget,
}

/// A session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its number.
    pub session: Session,
    /// Its date.
    pub date: SessionDate,
}

/// What a scenario took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Calls that were measured.
    pub calls: usize,
    /// Wall time of the longest call. What was asked more than once counts with
    /// its shortest: anything else is the machine's doing.
    pub time: Duration,
    /// The most that a call burnt, if that is counted.
    pub fuel: Option<u64>,
    /// The most memory of an instance, in bytes.
    pub memory: usize,
}

impl Cost {
    /// Counts a call, but not its time.
    pub(crate) fn count(&mut self, usage: Usage) {
        self.calls += 1;
        self.fuel = self.fuel.max(usage.fuel);
        self.memory = self.memory.max(usage.memory);
    }

    /// What is above a budget.
    pub(crate) fn over(&self, budget: &Budget) -> Vec<String> {
        let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
        let time = budget.time.filter(|limit| self.time > *limit);
        let time = time.map(|limit| {
            format!(
                "a call took {:.3} ms, and the budget is {} ms",
                milliseconds(self.time),
                milliseconds(limit)
            )
        });
        let fuel = self
            .fuel
            .zip(budget.fuel)
            .filter(|(used, limit)| used > limit);
        let fuel = fuel
            .map(|(used, limit)| format!("a call burnt {used} fuel, and the budget is {limit}"));
        time.into_iter().chain(fuel).collect()
    }
}
