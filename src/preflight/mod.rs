//! Checks before anything is touched, as data: a statement that is true when all is well, what was found, a hint.

mod checks;
mod fit;
mod images;
mod rendered;

pub(crate) use checks::run_checks;

use serde::Serialize;

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Outcome {
    /// The statement is true.
    Passed,
    /// It is not, but `up` may work.
    Warned,
    /// It is not, and `up` would fail.
    Failed,
    /// It could not be looked at.
    Skipped,
}

/// A check with its outcome.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Check {
    /// What it is about: tools, cluster, stack, charts, images, capacity.
    pub(crate) category: &'static str,
    /// The statement.
    pub(crate) title: &'static str,
    /// The outcome.
    pub(crate) outcome: Outcome,
    /// What was found.
    pub(crate) detail: String,
    /// What helps.
    pub(crate) hint: Option<String>,
}

impl Check {
    /// Returns a check with what was found and the hint that belongs to its failure.
    pub(crate) fn new(
        category: &'static str,
        title: &'static str,
        outcome: Outcome,
        detail: impl Into<String>,
        hint: &str,
    ) -> Self {
        Self { category, title, outcome, detail: detail.into(), hint: (!hint.is_empty()).then(|| hint.to_owned()) }
    }
}
