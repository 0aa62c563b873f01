//! The report as data.

use serde::Serialize;
use serde_json::{Value, json};

use super::event::Event;
use super::inventory::Inventory;
use crate::apply::Cause;

/// What happened to a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum StepAction {
    /// It was not there.
    Installed,
    /// It was another.
    Upgraded,
    /// It was not as it was left.
    Repaired,
    /// It went back to an earlier revision.
    #[serde(rename = "rolled-back")]
    RolledBack,
    /// Nothing was to be done.
    Unchanged,
    /// It was taken away.
    Removed,
    /// It is not as it should be.
    Failed,
    /// It was not tried.
    Skipped,
}

impl StepAction {
    /// Returns the word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Installed => "installed",
            Self::Upgraded => "upgraded",
            Self::Repaired => "repaired",
            Self::RolledBack => "rolled back",
            Self::Unchanged => "unchanged",
            Self::Removed => "removed",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }

    /// Returns the word for it while it goes on.
    pub const fn progressive(self) -> &'static str {
        match self {
            Self::Installed => "installing",
            Self::Upgraded => "upgrading",
            Self::Repaired => "repairing",
            Self::RolledBack => "rolling back",
            Self::Removed => "removing",
            Self::Unchanged | Self::Failed | Self::Skipped => "looking at",
        }
    }
}

/// What happened to one release.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StepReport {
    /// The release.
    pub release: String,
    /// Its namespace.
    pub namespace: String,
    /// What happened to it.
    pub action: StepAction,
    /// How long it took.
    pub seconds: f64,
    /// Why it failed or was skipped.
    pub cause: Option<Cause>,
}

/// What happened in a run of `up`, `rollback` or `down`.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RunReport {
    /// `up`, `rollback` or `down`.
    pub command: &'static str,
    /// All went well.
    pub ok: bool,
    /// How long it took.
    pub seconds: f64,
    /// The releases.
    pub steps: Vec<StepReport>,
    /// What `down` left in the cluster on purpose.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub kept: Vec<Kept>,
    /// What `down` found before it began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inventory: Option<Inventory>,
}

/// An object that `down` left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Kept {
    /// Its kind.
    pub kind: &'static str,
    /// Its namespace; empty for cluster-scoped objects.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Why it was left.
    pub reason: String,
}

/// Returns an event as one line of JSON.
pub fn write_event(event: &Event) -> Value {
    match event {
        Event::Stage(stage) => json!({"event": "stage", "stage": stage.name()}),
        Event::Note(text) => json!({"event": "note", "text": text}),
        Event::Started { release, action } => json!({"event": "started", "release": release, "action": action}),
        Event::Applied { release } => json!({"event": "applied", "release": release}),
        Event::Waiting { release, text, cause } => {
            json!({"event": "waiting", "release": release, "text": text, "cause": cause})
        }
        Event::Finished { release, action, seconds, cause } => {
            json!({"event": "finished", "release": release, "action": action, "seconds": seconds, "cause": cause})
        }
    }
}
