//! The exact question that a plugin was asked, kept before its answer takes
//! effect, so that it can be asked again.

use crate::book::StrategySource;
use alchemiser_events::{BlobReference, SessionDate, Sha256Digest};
use alchemiser_sandbox::PlanRequest;
use serde::{Deserialize, Serialize};

/// A question, as it is kept. Contents are named by their digests.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "call", rename_all = "lowercase")]
pub(crate) enum Question {
    /// To a strategy plugin: its weights.
    Evaluate(StrategyQuestion),
    /// To a portfolio plugin: a plan.
    Plan(PlanQuestion),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct StrategyQuestion {
    pub(crate) plugin: Sha256Digest,
    pub(crate) source: StrategySource,
    pub(crate) parameters: String,
    pub(crate) files: Vec<(String, BlobReference)>,
    pub(crate) as_of: SessionDate,
    /// What it could see; nothing if it could not even say what it needs.
    pub(crate) market: Option<BlobReference>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct PlanQuestion {
    pub(crate) plugin: Sha256Digest,
    pub(crate) request: PlanRequest,
}
