//! Revisions of the whole stack: what was in force after each run that changed something.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::journal::{Outcome, timestamp};
use super::record::ReleaseRecord;
use crate::stack::Release;

/// How many revisions are kept; helm keeps as many of each release.
const KEPT: usize = 10;

/// What was in force after a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StackRevision {
    /// Its number, from 1.
    pub number: u64,
    /// When the run ended, in RFC 3339.
    pub time: String,
    /// The version of `mlopsctl`.
    pub version: String,
    /// The command: `up` or `rollback`.
    pub command: String,
    /// How the run ended. Only a deployed revision can be gone back to.
    pub outcome: Outcome,
    /// The digest of the config with profile and defaults filled in.
    pub config: String,
    /// The revision that a `rollback` went back to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rolled_back_to: Option<u64>,
    /// The backup that was named where a schema cannot go back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup: Option<String>,
    /// The releases by name.
    pub releases: BTreeMap<String, ReleaseRevision>,
}

/// A release of a stack revision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReleaseRevision {
    /// Its namespace.
    pub namespace: String,
    /// helm's revision.
    pub revision: u64,
    /// Chart and version.
    pub chart: String,
    /// The digest of all that went into it.
    pub digest: String,
    /// Releases that come before it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<String>,
    /// The images of its workloads.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<String>,
    /// What it brings forward when it starts, and cannot take back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub migrates: Option<String>,
}

/// What a revision is called for.
#[derive(Debug, Clone)]
pub struct Origin {
    /// The command.
    pub command: &'static str,
    /// How the run ended.
    pub outcome: Outcome,
    /// The digest of the config.
    pub config: String,
    /// The revision that a `rollback` went back to.
    pub rolled_back_to: Option<u64>,
    /// The backup that was named.
    pub backup: Option<String>,
}

impl ReleaseRevision {
    /// Returns what is to be kept of a release; `release` is what the stack says of it, where it is part of it.
    pub fn of(record: &ReleaseRecord, release: Option<&Release>) -> Self {
        let needs = release.iter().flat_map(|it| &it.needs).map(|need| need.release.clone()).collect();
        Self {
            namespace: record.namespace.clone(),
            revision: record.revision,
            chart: record.chart.clone(),
            digest: record.digest.clone(),
            needs,
            images: record.images.clone(),
            migrates: release.and_then(|it| it.migrates.clone()),
        }
    }
}

/// Adds a revision where it differs from the newest one, and drops what is too old: failed ones first, since only the others
/// can be gone back to. Returns whether it was added.
pub fn add_revision(
    revisions: &mut Vec<StackRevision>,
    origin: Origin,
    releases: BTreeMap<String, ReleaseRevision>,
) -> bool {
    if !differs(revisions, &origin, &releases) {
        return false;
    }
    let number = revisions.last().map_or(0, |last| last.number) + 1;
    let Origin { command, outcome, config, rolled_back_to, backup } = origin;
    let (time, version, command) = (timestamp(), env!("CARGO_PKG_VERSION").to_owned(), command.to_owned());
    revisions.push(StackRevision { number, time, version, command, outcome, config, rolled_back_to, backup, releases });
    while revisions.len() > KEPT {
        let oldest_failed = revisions[..revisions.len() - 1].iter().position(|it| it.outcome != Outcome::Deployed);
        revisions.remove(oldest_failed.unwrap_or(0));
    }
    true
}

/// Says whether a run left something else in force than the newest revision says.
pub fn differs(revisions: &[StackRevision], origin: &Origin, releases: &BTreeMap<String, ReleaseRevision>) -> bool {
    revisions.last().is_none_or(|last| {
        last.releases != *releases
            || last.outcome != origin.outcome
            || last.config != origin.config
            || origin.rolled_back_to.is_some()
    })
}
