//! From a revision of the stack and the state of the cluster to the way back.

use std::collections::BTreeMap;

use super::build::Removal;
use crate::cluster::{ClusterState, Outcome, ReleaseRevision, ReleaseStatus, StackRevision};
use crate::stack::{ChartRef, Need, Release, Stack, Until};

/// How long helm and readiness may take for a release that the stack does not have any more, in seconds.
const TIMEOUT: u32 = 600;

/// What a way back is made of.
#[derive(Debug, Clone, Copy)]
pub struct RollbackInputs<'a> {
    /// The stack, for what releases need and how long they may take.
    pub stack: &'a Stack,
    /// The cluster.
    pub state: &'a ClusterState,
    /// The revision that was asked for; none for the one before.
    pub number: Option<u64>,
    /// The backup that was named.
    pub backup: Option<&'a str>,
    /// What helm cannot bring back is left as it is.
    pub partial: bool,
    /// Releases that were not there then are removed.
    pub prune: bool,
}

/// The way back to a revision of the stack.
#[derive(Debug, Clone)]
pub struct RollbackPlan {
    /// The revision.
    pub target: StackRevision,
    /// The releases that it has and the cluster too, each behind what it needs.
    pub steps: Vec<RollbackStep>,
    /// Releases that were not there then and are removed, in this order.
    pub removals: Vec<Removal>,
    /// Releases that were not there then and stay.
    pub left: Vec<Removal>,
    /// Releases that were there then and that helm cannot bring back, with the reason.
    pub lost: Vec<(String, String)>,
}

/// One release of a way back.
#[derive(Debug, Clone)]
pub struct RollbackStep {
    /// The release.
    pub release: Release,
    /// Its newest revision.
    pub revision: u64,
    /// What happens to it; none where it is as it was then.
    pub back: Option<Back>,
}

/// A step back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Back {
    /// The newest revision.
    pub from: u64,
    /// The one that helm goes back to.
    pub to: u64,
    /// Chart and version of that one.
    pub chart: String,
    /// The digest of all that went into it.
    pub digest: String,
}

/// Why there is no way back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RollbackError {
    /// Nothing was kept.
    #[error("no revision of the stack is kept in namespace {system}")]
    NoHistory {
        /// The system namespace.
        system: String,
    },
    /// All good revisions are in force.
    #[error("there is no earlier revision of the stack than what is in force")]
    NoneBefore,
    /// There is no such revision.
    #[error("revision {number} of the stack is not kept, only {}", kept.iter().map(u64::to_string).collect::<Vec<_>>().join(", "))]
    Unknown {
        /// The number.
        number: u64,
        /// Those that are kept.
        kept: Vec<u64>,
    },
    /// Not all of its releases came into force.
    #[error("revision {number} of the stack {}, so there is nothing to go back to", match outcome { Outcome::Interrupted => "was interrupted", _ => "failed" })]
    NotGood {
        /// The number.
        number: u64,
        /// How its run ended.
        outcome: Outcome,
    },
    /// helm does not keep the revision of a release any more.
    #[error("release {release}: {reason}")]
    Lost {
        /// The release.
        release: String,
        /// Why.
        reason: String,
    },
    /// Somebody else made the release.
    #[error("release {release} in {namespace} (revision {revision}) was not made by mlopsctl")]
    Foreign {
        /// The release.
        release: String,
        /// Its namespace.
        namespace: String,
        /// Its revision.
        revision: u64,
    },
    /// A schema went forward since.
    #[error("release {release} brought forward {what}: it ran {} then and runs {} now", then.join(", "), now.join(", "))]
    Schema {
        /// The release.
        release: String,
        /// What cannot go back.
        what: String,
        /// Its images then.
        then: Vec<String>,
        /// Its images now.
        now: Vec<String>,
    },
}

/// Plans the way back. All reasons against it are found, not only the first.
pub fn plan_rollback(inputs: &RollbackInputs<'_>) -> Result<RollbackPlan, Vec<RollbackError>> {
    let RollbackInputs { stack, state, .. } = inputs;
    let target = target(inputs).map_err(|error| vec![error])?;
    let (mut steps, mut lost, mut problems) = (Vec::new(), Vec::new(), Vec::new());
    for (name, then) in &target.releases {
        match step(stack, state, name, then) {
            Ok(step) => {
                if step.back.is_some() && inputs.backup.is_none() {
                    problems.extend(schema(state, name, then));
                }
                steps.push(step);
            }
            Err(RollbackError::Lost { release, reason }) if inputs.partial => lost.push((release, reason)),
            Err(error) => problems.push(error),
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let newer = newer(stack, state, target);
    let (removals, left) = if inputs.prune { (newer, Vec::new()) } else { (Vec::new(), newer) };
    Ok(RollbackPlan { target: target.clone(), steps: in_order(steps), removals, left, lost })
}

impl RollbackPlan {
    /// Says whether nothing is to be done.
    pub fn is_empty(&self) -> bool {
        self.removals.is_empty() && self.steps.iter().all(|step| step.back.is_none())
    }

    /// Returns the names of the releases that something happens to.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let back = self.steps.iter().filter(|step| step.back.is_some()).map(|step| step.release.name.as_str());
        back.chain(self.removals.iter().map(|removal| removal.name.as_str()))
    }
}

fn target<'a>(inputs: &RollbackInputs<'a>) -> Result<&'a StackRevision, RollbackError> {
    let state = inputs.state;
    let revisions = state.record.as_ref().map(|record| record.revisions.as_slice()).unwrap_or_default();
    if revisions.is_empty() {
        let system = inputs.stack.namespaces.first().map(|namespace| namespace.name.clone()).unwrap_or_default();
        return Err(RollbackError::NoHistory { system });
    }
    let Some(number) = inputs.number else {
        let good = revisions.iter().rev().filter(|revision| revision.outcome == Outcome::Deployed);
        return good.into_iter().find(|revision| !in_force(state, revision)).ok_or(RollbackError::NoneBefore);
    };
    match revisions.iter().find(|revision| revision.number == number) {
        None => {
            let kept = revisions.iter().filter(|it| it.outcome == Outcome::Deployed).map(|it| it.number).collect();
            Err(RollbackError::Unknown { number, kept })
        }
        Some(revision) if revision.outcome != Outcome::Deployed => {
            Err(RollbackError::NotGood { number, outcome: revision.outcome })
        }
        Some(revision) => Ok(revision),
    }
}

/// Says whether a revision is what the cluster has: each of its releases, and no other that a later revision added.
fn in_force(state: &ClusterState, revision: &StackRevision) -> bool {
    let record = state.record.as_ref();
    let same = |(name, then): (&String, &ReleaseRevision)| {
        state.releases.get(&(then.namespace.clone(), name.clone())).is_some_and(|now| is_there(now, then))
    };
    let added = record.into_iter().flat_map(|record| &record.releases).any(|(name, now)| {
        !revision.releases.contains_key(name) && state.releases.contains_key(&(now.namespace.clone(), name.clone()))
    });
    revision.releases.iter().all(same) && !added
}

/// Says whether a release is what it was then.
fn is_there(now: &crate::cluster::ReleaseState, then: &ReleaseRevision) -> bool {
    now.status == ReleaseStatus::Deployed
        && now.digest_revision == Some(now.revision)
        && now.digest.as_deref() == Some(&then.digest)
}

fn step(
    stack: &Stack,
    state: &ClusterState,
    name: &str,
    then: &ReleaseRevision,
) -> Result<RollbackStep, RollbackError> {
    let key = (then.namespace.clone(), name.to_owned());
    let lost = |reason: String| RollbackError::Lost { release: name.to_owned(), reason };
    let Some(now) = state.releases.get(&key) else {
        return Err(lost("it was removed since, and helm's history with it".to_owned()));
    };
    if now.digest.is_none() {
        let (release, namespace) = (name.to_owned(), then.namespace.clone());
        return Err(RollbackError::Foreign { release, namespace, revision: now.revision });
    }
    let release = release(stack, name, then);
    if is_there(now, then) {
        return Ok(RollbackStep { release, revision: now.revision, back: None });
    }
    let none = BTreeMap::new();
    let kept = state.revisions.get(&key).unwrap_or(&none);
    // A revision of another content has the number where the release was uninstalled and came back.
    let same = |(_, found): &(&u64, &crate::cluster::HelmRevision)| {
        found.is_good() && found.digest.as_deref() == Some(&then.digest)
    };
    let exact = kept.get_key_value(&then.revision).filter(same);
    let Some((to, _)) = exact.or_else(|| kept.iter().rev().find(same)) else {
        let oldest = kept.keys().next().copied().unwrap_or(now.revision);
        return Err(lost(format!(
            "helm does not keep revision {} any more; it keeps the last 10, from {oldest} to {}",
            then.revision, now.revision
        )));
    };
    let back = Back { from: now.revision, to: *to, chart: then.chart.clone(), digest: then.digest.clone() };
    Ok(RollbackStep { release, revision: now.revision, back: Some(back) })
}

/// Returns what the stack says of a release, with the needs that it had then.
fn release(stack: &Stack, name: &str, then: &ReleaseRevision) -> Release {
    let known = stack.releases.iter().find(|release| release.name == name && release.namespace == then.namespace);
    let mut release = known.cloned().unwrap_or_else(|| Release {
        name: name.to_owned(),
        title: String::new(),
        namespace: then.namespace.clone(),
        chart: ChartRef::Stack { name: then.chart.clone() },
        values: serde_json::Value::Null,
        needs: Vec::new(),
        secrets: Vec::new(),
        crds: None,
        api_versions: Vec::new(),
        ui: None,
        ready: Vec::new(),
        timeout_seconds: TIMEOUT,
        force_conflicts: false,
        migrates: then.migrates.clone(),
    });
    let need = |name: &String| Need { release: name.clone(), until: Until::Ready, because: String::new() };
    release.needs = then.needs.iter().map(need).collect();
    release
}

/// Says whether a release brought something forward since that an older image does not read.
fn schema(state: &ClusterState, name: &str, then: &ReleaseRevision) -> Option<RollbackError> {
    let what = then.migrates.clone()?;
    let now = state.record.as_ref().and_then(|record| record.releases.get(name))?.images.clone();
    let older = now.iter().any(|image| !then.images.iter().any(|it| reads_what_was_written_by(it, image)));
    older.then(|| RollbackError::Schema { release: name.to_owned(), what, then: then.images.clone(), now })
}

/// Says whether an image is the other one, or a newer version of it. Of versions that are none, nobody knows.
fn reads_what_was_written_by(image: &str, other: &str) -> bool {
    let version = |image: &str| -> Option<(String, semver::Version)> {
        let (repository, tag) = image.rsplit_once(':')?;
        let number = tag.trim_start_matches('v').split(['-', '+']).next()?;
        Some((repository.to_owned(), semver::Version::parse(number).ok()?))
    };
    image == other
        || matches!((version(image), version(other)), (Some((a, then)), Some((b, now))) if a == b && then > now)
}

/// Returns our releases that were not there then, those that need others first.
fn newer(stack: &Stack, state: &ClusterState, target: &StackRevision) -> Vec<Removal> {
    let recorded = state.record.iter().flat_map(|record| &record.releases);
    let mut newer: Vec<Removal> = recorded
        .filter(|(name, now)| {
            let ours = |it: &crate::cluster::ReleaseState| it.digest.is_some();
            !target.releases.contains_key(*name)
                && state.releases.get(&(now.namespace.clone(), (*name).clone())).is_some_and(ours)
        })
        .map(|(name, now)| Removal { name: name.clone(), namespace: now.namespace.clone() })
        .collect();
    let place = |removal: &Removal| stack.releases.iter().position(|release| release.name == removal.name);
    newer.sort_by_key(|removal| std::cmp::Reverse(place(removal)));
    newer
}

/// Puts each release behind those that it needs. A need that is not among them counts as met, since nothing happens to it.
fn in_order(mut steps: Vec<RollbackStep>) -> Vec<RollbackStep> {
    let names: Vec<String> = steps.iter().map(|step| step.release.name.clone()).collect();
    for step in &mut steps {
        step.release.needs.retain(|need| names.contains(&need.release));
    }
    let mut ordered: Vec<RollbackStep> = Vec::new();
    while !steps.is_empty() {
        let waits = |step: &RollbackStep| {
            step.release.needs.iter().any(|need| !ordered.iter().any(|it| it.release.name == need.release))
        };
        // A cycle cannot come about; where the record was tampered with, any order is as good as another.
        let next = steps.iter().position(|step| !waits(step)).unwrap_or(0);
        ordered.push(steps.remove(next));
    }
    ordered
}
