//! From a stack and the state of the cluster to a plan.

use std::collections::BTreeMap;

use super::decide::{Action, decide};
use super::digest::{crd_digest, release_digest};
use crate::chart::Chart;
use crate::cluster::{
    CRD_DIGEST_LABEL, CRD_RELEASE_LABEL, CREATED_LABEL, ClaimState, ClusterState, CrdRecord, STACK_LABEL,
};
use crate::stack::{ChartRef, Release, Secret, Stack};

/// What a plan is made of.
#[derive(Debug, Clone, Copy)]
pub struct Inputs<'a> {
    /// The stack, with the generation ids of Secrets that are still to be made.
    pub stack: &'a Stack,
    /// The charts on disk.
    pub charts: &'a BTreeMap<ChartRef, Chart>,
    /// The cluster.
    pub state: &'a ClusterState,
    /// The generation id of each Secret, existing or to be made.
    pub generations: &'a BTreeMap<String, String>,
}

/// What a run will do.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Namespaces to create or label.
    pub namespaces: Vec<NamespacePlan>,
    /// Secrets to create or copy.
    pub secrets: Vec<SecretPlan>,
    /// Sets of CRDs to apply.
    pub crds: Vec<CrdPlan>,
    /// All releases, those that nothing happens to among them, each behind what it needs.
    pub releases: Vec<ReleasePlan>,
    /// Releases of this stack that are not in the file any more, in the order of removal.
    pub removals: Vec<Removal>,
}

/// A namespace of the stack.
#[derive(Debug, Clone)]
pub struct NamespacePlan {
    /// Its name.
    pub name: String,
    /// It does not exist.
    pub create: bool,
    /// The Pod Security level that it gets when it is created.
    pub pod_security: &'static str,
}

/// A Secret that has to be made somewhere.
#[derive(Debug, Clone)]
pub struct SecretPlan {
    /// The Secret.
    pub secret: Secret,
    /// It does not exist in its own namespace.
    pub create: bool,
    /// The generation id that it has or gets.
    pub generation: String,
    /// Namespaces whose copy is missing or of another generation.
    pub copies: Vec<String>,
}

/// CRDs of one chart.
#[derive(Debug, Clone)]
pub struct CrdPlan {
    /// The release whose chart brings them.
    pub release: Release,
    /// The chart.
    pub chart: Chart,
    /// Their digest.
    pub digest: String,
}

/// One release.
#[derive(Debug, Clone)]
pub struct ReleasePlan {
    /// What it should be.
    pub release: Release,
    /// Its chart.
    pub chart: Chart,
    /// The digest of what it should be.
    pub digest: String,
    /// The newest revision it has.
    pub revision: Option<u64>,
    /// What happens to it.
    pub action: Action,
}

/// A release that is to be removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removal {
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
}

/// Why a stack cannot be put on this cluster.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// The namespaces carry another stack's id.
    #[error("namespace {namespace} belongs to the stack `{found}`, not to `{wanted}`")]
    OtherStack {
        /// The namespace.
        namespace: String,
        /// The id on it.
        found: String,
        /// The id in the config.
        wanted: String,
    },
    /// A namespace is being deleted.
    #[error("namespace {namespace} is being deleted")]
    Terminating {
        /// The namespace.
        namespace: String,
    },
    /// Somebody else made a release of this name.
    #[error("release {release} in {namespace} exists (revision {revision}) and was not made by mlopsctl")]
    Foreign {
        /// The release.
        release: String,
        /// Its namespace.
        namespace: String,
        /// Its revision.
        revision: u64,
    },
    /// A Secret that must exist does not.
    #[error("Secret {} in {} does not exist; it needs the keys {}", secret.name, secret.namespace, key_names(secret))]
    MissingSecret {
        /// The Secret.
        secret: Box<Secret>,
    },
    /// A Secret that somebody made lacks keys.
    #[error("Secret {} in {} lacks the keys {}", secret.name, secret.namespace, missing.join(", "))]
    IncompleteSecret {
        /// The Secret.
        secret: Box<Secret>,
        /// The keys that it lacks.
        missing: Vec<String>,
    },
}

fn key_names(secret: &Secret) -> String {
    secret.keys.iter().map(|(key, _)| key.as_str()).collect::<Vec<_>>().join(", ")
}

/// Builds the plan. All reasons against it are found, not only the first.
pub fn build(inputs: &Inputs<'_>) -> Result<Plan, Vec<PlanError>> {
    let Inputs { stack, charts, state, generations } = inputs;
    let mut problems = check_namespaces(stack, state);
    let secrets = secrets(stack, state, generations, &mut problems);
    let mut releases = Vec::new();
    for release in &stack.releases {
        let Some(chart) = charts.get(&release.chart) else { continue };
        let own: Vec<&str> =
            release.secrets.iter().filter_map(|name| generations.get(name)).map(String::as_str).collect();
        let digest = release_digest(release, &chart.digest, &own);
        let found = state.releases.get(&(release.namespace.clone(), release.name.clone()));
        let record = state.record.as_ref().and_then(|record| record.releases.get(&release.name));
        let own = |claim: &&ClaimState| claim.is_of(&release.namespace, &release.name);
        let claims: Vec<&ClaimState> = state.claims.iter().filter(own).collect();
        let action = decide(&digest, found, record, &state.workloads, &claims);
        if let Action::Foreign { revision } = action {
            let (release, namespace) = (release.name.clone(), release.namespace.clone());
            problems.push(PlanError::Foreign { release, namespace, revision });
        }
        let revision = found.map(|found| found.revision);
        releases.push(ReleasePlan { release: release.clone(), chart: chart.clone(), digest, revision, action });
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    Ok(Plan {
        namespaces: namespaces(stack, state),
        secrets,
        crds: crds(inputs),
        releases,
        removals: removals(stack, state),
    })
}

impl Plan {
    /// Returns the part that is about one release and those that it needs, with their Secrets and CRDs.
    #[must_use]
    pub fn only(mut self, name: &str) -> Self {
        let mut wanted = vec![name.to_owned()];
        // Each release stands behind what it needs.
        for plan in self.releases.iter().rev() {
            if wanted.contains(&plan.release.name) {
                wanted.extend(plan.release.needs.iter().map(|need| need.release.clone()));
            }
        }
        self.releases.retain(|plan| wanted.contains(&plan.release.name));
        let read: Vec<String> = self.releases.iter().flat_map(|plan| plan.release.secrets.clone()).collect();
        self.secrets.retain(|plan| read.contains(&plan.secret.name));
        self.crds.retain(|plan| wanted.contains(&plan.release.name));
        self.removals.clear();
        self
    }

    /// Says whether nothing is to be done.
    pub fn is_empty(&self) -> bool {
        self.namespaces.iter().all(|namespace| !namespace.create)
            && self.secrets.is_empty()
            && self.crds.is_empty()
            && self.removals.is_empty()
            && self.releases.iter().all(|release| matches!(release.action, Action::Unchanged { .. }))
    }
}

fn check_namespaces(stack: &Stack, state: &ClusterState) -> Vec<PlanError> {
    let mut problems = Vec::new();
    for namespace in &stack.namespaces {
        let Some(found) = state.namespaces.get(&namespace.name) else { continue };
        if found.terminating {
            problems.push(PlanError::Terminating { namespace: namespace.name.clone() });
        }
        if let Some(id) = found.labels.get(STACK_LABEL).filter(|id| **id != stack.id) {
            let (namespace, found, wanted) = (namespace.name.clone(), id.clone(), stack.id.clone());
            problems.push(PlanError::OtherStack { namespace, found, wanted });
        }
    }
    problems
}

fn namespaces(stack: &Stack, state: &ClusterState) -> Vec<NamespacePlan> {
    let known = |name: &str| state.namespaces.get(name);
    stack
        .namespaces
        .iter()
        .map(|namespace| NamespacePlan {
            name: namespace.name.clone(),
            create: known(&namespace.name).is_none(),
            pod_security: namespace.pod_security,
        })
        .filter(|plan| {
            plan.create
                || known(&plan.name)
                    .is_some_and(|it| !it.labels.contains_key(STACK_LABEL) && !it.labels.contains_key(CREATED_LABEL))
        })
        .collect()
}

fn secrets(
    stack: &Stack,
    state: &ClusterState,
    generations: &BTreeMap<String, String>,
    problems: &mut Vec<PlanError>,
) -> Vec<SecretPlan> {
    let mut plans = Vec::new();
    for secret in &stack.secrets {
        let at = |namespace: &String| state.secrets.get(&(namespace.clone(), secret.name.clone()));
        let create = at(&secret.namespace).is_none();
        if create && secret.must_exist {
            problems.push(PlanError::MissingSecret { secret: Box::new(secret.clone()) });
            continue;
        }
        if let Some(keys) = state.secret_keys.get(&(secret.namespace.clone(), secret.name.clone())) {
            let missing: Vec<String> =
                secret.keys.iter().map(|(key, _)| key).filter(|key| !keys.contains(key)).cloned().collect();
            if !missing.is_empty() {
                problems.push(PlanError::IncompleteSecret { secret: Box::new(secret.clone()), missing });
            }
        }
        let generation = generations.get(&secret.name).cloned().unwrap_or_default();
        let stale =
            |namespace: &&String| at(namespace).is_none_or(|found| found.as_deref().is_some_and(|id| id != generation));
        let copies: Vec<String> = secret.copies.iter().filter(stale).cloned().collect();
        if create || !copies.is_empty() {
            plans.push(SecretPlan { secret: secret.clone(), create, generation, copies });
        }
    }
    plans
}

fn crds(inputs: &Inputs<'_>) -> Vec<CrdPlan> {
    let Inputs { stack, charts, state, .. } = inputs;
    let record = |name: &str| state.record.as_ref().and_then(|record| record.crds.get(name));
    let mut plans = Vec::new();
    for release in &stack.releases {
        let (Some(spec), Some(chart)) = (&release.crds, charts.get(&release.chart)) else { continue };
        let digest = crd_digest(spec, &chart.digest);
        if !record(&release.name).is_some_and(|record| in_force(record, &release.name, &digest, state)) {
            plans.push(CrdPlan { release: release.clone(), chart: chart.clone(), digest });
        }
    }
    plans
}

/// Says whether every CRD of a record is in the cluster as we applied it, or is somebody else's.
fn in_force(record: &CrdRecord, release: &str, digest: &str, state: &ClusterState) -> bool {
    record.digest == digest
        && record.names.iter().all(|name| {
            state.crds.get(name).is_some_and(|labels| {
                labels.get(CRD_RELEASE_LABEL).is_none_or(|owner| owner != release)
                    || labels.get(CRD_DIGEST_LABEL).is_some_and(|found| found == digest)
            })
        })
}

fn removals(stack: &Stack, state: &ClusterState) -> Vec<Removal> {
    let recorded = state.record.iter().flat_map(|record| &record.releases);
    recorded
        .filter(|(name, record)| {
            let wanted =
                stack.releases.iter().any(|release| release.name == **name && release.namespace == record.namespace);
            !wanted && state.releases.contains_key(&(record.namespace.clone(), (*name).clone()))
        })
        .map(|(name, record)| Removal { name: name.clone(), namespace: record.namespace.clone() })
        .collect()
}
