//! The journal of the last run: who it was, what it meant to do, and how far each step came.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// One run, as the cluster keeps it. A run that was cut off has no end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Journal {
    /// Who ran: host, process id, a random part; the Lease names the same.
    pub run: String,
    /// The command: `up`, `down` or `rollback`.
    pub command: String,
    /// The version of `mlopsctl`.
    pub version: String,
    /// When it began, in RFC 3339.
    pub began: String,
    /// The digest of its plan: two runs with the same one meant to do the same.
    pub plan: String,
    /// When it ended, in RFC 3339; none while it runs, and for ever where it was cut off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<String>,
    /// How it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// How far it came with each release that it has to work on.
    pub steps: BTreeMap<String, StepState>,
}

/// How far a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StepState {
    /// It has not begun.
    Planned,
    /// helm works on it.
    Applying,
    /// helm is done, its workloads are not ready yet.
    Waiting,
    /// It is as it should be.
    Done,
    /// It is not.
    Failed,
    /// It was not tried.
    Skipped,
}

impl StepState {
    /// Returns its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Applying => "applying",
            Self::Waiting => "waiting",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }

    /// Says whether it was begun and not brought to its end.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Applying | Self::Waiting)
    }
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// All that was planned is in force.
    Deployed,
    /// Something failed.
    Failed,
    /// A signal ended it.
    Interrupted,
}

impl Outcome {
    /// Returns its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Deployed => "deployed",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
        }
    }
}

impl Journal {
    /// Begins the journal of a run.
    pub fn begin(run: &str, command: &str, plan: String, steps: impl IntoIterator<Item = String>) -> Self {
        Self {
            run: run.to_owned(),
            command: command.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            began: timestamp(),
            plan,
            ended: None,
            outcome: None,
            steps: steps.into_iter().map(|name| (name, StepState::Planned)).collect(),
        }
    }

    /// Writes down how the run ended.
    pub fn end(&mut self, outcome: Outcome) {
        self.ended = Some(timestamp());
        self.outcome = Some(outcome);
    }
}

/// Returns the time in RFC 3339, to the second.
pub(super) fn timestamp() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
