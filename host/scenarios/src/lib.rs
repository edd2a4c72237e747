//! Runs plugins on scenario files and compares what they answer.
//!
//! A [`ScenarioFile`] is read with everything that it names: prices, files,
//! sessions. What is wrong in it comes as [`Mistake`]s with their places, all at
//! once. [`run_strategy`] and [`run_plan`] ask a plugin and come to a
//! [`Report`]: how what it answered differs from what was expected, what it
//! needed, and, for strategies, whether it depends on anything that it must not
//! depend on: earlier calls, or prices after the session under evaluation.
//! [`update`] writes answers into a file's text, which stays as it is otherwise.
//!
//! *Invariants:* this crate prints nothing and writes no file. The same
//! scenario and the same plugin come to the same report, times excepted.

mod answer;
mod checks;
mod file;
mod perturbation;
mod plan;
mod prices;
mod reader;
mod report;
mod subject;
mod update;

pub use answer::{Answer, Difference};
pub use checks::{STATELESS, run_strategy};
pub use file::{
    Budget, Expectation, ExpectedAnswer, ExpectedError, FileError, PlanTask, Scenario,
    ScenarioFile, StrategyTask, Task,
};
pub use plan::{ExpectedItem, run_plan};
pub use prices::Markets;
pub use reader::Mistake;
pub use report::{Cost, Finding, FindingKind, Place, Report};
pub use subject::{Asked, Instance, Subject};
pub use update::{Change, NewAnswer, update};
