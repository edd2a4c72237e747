//! Strategy plugin that runs a strategy file: an S-expression such as
//!
//! ```clojure
//! (if (> (current-price "SP500") (moving-average-price "SP500" {:window 200}))
//!   (weight-equal "MSFT" "AAPL")
//!   (asset "USMV"))
//! ```
//!
//! Loading reads the text (`reader`), checks all of it and makes a program of
//! it in which equal forms are one (`check`, `program`). Evaluating computes
//! what the program holds as of a session (`evaluate`, `score`), brings it
//! into its canonical form (`canonical`) and explains it if anybody wants to
//! know (`explain`).
//!
//! Authors have `lint`, `format` and [`Dsl::outline`], which look at the text
//! alone.
//!
//! Errors have the classes `ParseError`, `UnknownOperator` and `ArgumentError`
//! when a file is loaded, and `NoData`, `InsufficientHistory`, `NonFinite` and
//! `EmptyPortfolio` when it is evaluated; all with line and column.

mod canonical;
mod check;
mod evaluate;
mod explain;
mod failure;
mod format;
mod history;
mod lint;
mod memo;
mod mix;
mod operator;
mod outline;
mod problem;
mod program;
mod quotes;
mod reader;
mod requirements;
mod score;
mod sweep;
mod symbol;
mod texts;
mod tree;

use alchemiser_sdk::{
    Error, Files, NoParameters, Requirement, Result, Strategy, Today, Weights, export_strategy,
};
use evaluate::{Evaluator, State};
pub use format::format;
pub use lint::{Finding, Severity, lint};
pub use outline::{Part, PartKind};
use program::Program;
use std::rc::Rc;

/// A strategy file, loaded.
#[derive(Debug)]
pub struct Dsl {
    program: Program,
    state: State,
}

impl Dsl {
    /// Reads and checks the text of a strategy file.
    ///
    /// # Errors
    /// All problems found, in the order of the text; at least one. A text that
    /// cannot be read has one.
    pub fn read(text: &[u8]) -> std::result::Result<Self, Vec<Error>> {
        let tree = reader::read(text).map_err(|error| vec![error.into()])?;
        let program = check::check(tree)?;
        let state = State::new(&program);
        Ok(Self { program, state })
    }

    /// The parts of the strategy in the order of the text, the whole first.
    #[must_use]
    pub fn outline(&self) -> Vec<Part> {
        outline::outline(&self.program)
    }
}

impl Strategy for Dsl {
    type Parameters = NoParameters;

    fn load(_: NoParameters, files: &Files) -> Result<Self> {
        let (_, text) = files.only()?;
        Self::read(text).map_err(|mut problems| problems.swap_remove(0))
    }

    fn requirements(&self) -> Vec<Requirement> {
        requirements::requirements(&self.program)
    }

    fn evaluate(&mut self, today: &Today<'_>) -> Result<Weights> {
        let mut evaluator = Evaluator {
            program: &self.program,
            market: today.market(),
            state: &mut self.state,
            as_of: today.session(),
        };
        let weights = evaluator.weights();
        if today.explanation_wanted() {
            evaluator.explain();
        }
        // The canonical form is right, however many symbols there are.
        weights.map(Weights::unchecked).map_err(|failure| {
            let place = self.program.place(failure.position);
            Rc::unwrap_or_clone(failure).error.at(place)
        })
    }
}

export_strategy!(Dsl);
