//! What a release needs, from what it should be and what it is.

use std::collections::BTreeMap;

use crate::cluster::{ClaimState, Readiness, ReleaseRecord, ReleaseState, ReleaseStatus};
use crate::render::Workload;

/// What is to be done with a release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// It is not there.
    Install,
    /// It is there and should be another.
    Upgrade {
        /// The revision in force.
        from: u64,
    },
    /// It is not as we left it.
    Repair {
        /// What is wrong with it.
        reason: String,
        /// What comes before the upgrade.
        recovery: Option<Recovery>,
    },
    /// It is as it should be, and was looked at.
    Unchanged {
        /// Its revision.
        revision: u64,
    },
    /// Somebody else made it; it is not touched.
    Foreign {
        /// Its revision.
        revision: u64,
    },
}

impl Action {
    /// Says whether nothing happens.
    pub fn is_unchanged(&self) -> bool {
        matches!(self, Self::Unchanged { .. })
    }
}

/// What gets a release out of a state that helm refuses to upgrade.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recovery {
    /// Go back to the newest revision that was in force.
    RollBack {
        /// That revision.
        revision: u64,
    },
    /// Remove what is left of it.
    Uninstall {
        /// Claims with a volume that stay, and that the next install takes up.
        keeps: Vec<String>,
    },
    /// Drop helm's record of it and install over what is there: helm would delete volumes with the release.
    Forget {
        /// The claims that are saved so.
        saves: Vec<String>,
    },
}

/// Decides what a release needs. `digest` is what it should be, `record` what it was made of, `claims` are its own.
pub fn decide(
    digest: &str,
    state: Option<&ReleaseState>,
    record: Option<&ReleaseRecord>,
    workloads: &BTreeMap<Workload, Readiness>,
    claims: &[&ClaimState],
) -> Action {
    let Some(state) = state else { return Action::Install };
    let repair = |reason: String, recovery| Action::Repair { reason, recovery };
    if matches!(state.status, ReleaseStatus::Uninstalled | ReleaseStatus::Superseded) {
        return Action::Install;
    }
    // What somebody else made or began is not ours to mend.
    let Some(known) = &state.digest else { return Action::Foreign { revision: state.revision } };
    if state.status != ReleaseStatus::Deployed {
        return repair(format!("revision {} is {}", state.revision, state.status), recovery(state, claims));
    }
    if state.digest_revision != Some(state.revision) {
        return repair(format!("revision {} was made by another hand", state.revision), None);
    }
    if known != digest {
        return Action::Upgrade { from: state.revision };
    }
    let Some(record) = record.filter(|record| record.revision == state.revision) else {
        return repair("its workloads are not on record".into(), None);
    };
    for workload in &record.workloads {
        match workloads.get(workload) {
            Some(Readiness::Ready) => {}
            Some(Readiness::Waiting(why) | Readiness::Failed(why)) => {
                return repair(format!("{workload} is not ready: {why}"), None);
            }
            None => return repair(format!("{workload} is gone"), None),
        }
    }
    Action::Unchanged { revision: state.revision }
}

/// Returns what comes before an upgrade of a release that is not deployed; helm upgrades a failed one as it is.
///
/// Back to a revision that was in force, if there is one. Else the install is begun anew, but never at the price of data.
fn recovery(state: &ReleaseState, claims: &[&ClaimState]) -> Option<Recovery> {
    match state.status {
        ReleaseStatus::PendingInstall | ReleaseStatus::PendingUpgrade | ReleaseStatus::PendingRollback => {
            let back = state.good_revision.map(|revision| Recovery::RollBack { revision });
            Some(back.unwrap_or_else(|| anew(claims)))
        }
        ReleaseStatus::Uninstalling => Some(anew(claims)),
        ReleaseStatus::Deployed
        | ReleaseStatus::Failed
        | ReleaseStatus::Superseded
        | ReleaseStatus::Uninstalled
        | ReleaseStatus::Unknown => None,
    }
}

fn anew(claims: &[&ClaimState]) -> Recovery {
    let bound = claims.iter().filter(|claim| claim.bound);
    let names = bound.clone().map(|claim| claim.name.clone()).collect();
    let at_stake = bound.into_iter().any(|claim| claim.goes_with_release);
    if at_stake { Recovery::Forget { saves: names } } else { Recovery::Uninstall { keeps: names } }
}
