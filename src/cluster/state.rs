//! What the cluster says, read in one burst.

use std::collections::BTreeMap;

use serde_json::Value;

use super::GENERATION_LABEL;
use super::lease::NAME as LEASE_NAME;
use super::record::{RECORD_NAME, StackRecord};
use super::workload::{Readiness, readiness};
use crate::exec::{ExecError, Invocation, Runner, Tool};
use crate::helm::{DIGEST_LABEL, REVISION_LABEL};
use crate::kubectl;
use crate::render::{Workload, WorkloadKind};

/// What is to be looked at.
#[derive(Debug, Clone)]
pub struct Scope {
    /// The system namespace.
    pub system: String,
    /// All namespaces of the stack, the system one among them.
    pub namespaces: Vec<String>,
}

/// The cluster as observed.
#[derive(Debug, Clone, Default)]
pub struct ClusterState {
    /// The API server's version, such as `v1.37.2`.
    pub server_version: String,
    /// The namespaces that exist, of those in the scope.
    pub namespaces: BTreeMap<String, NamespaceState>,
    /// The newest revision of every helm release, by namespace and name.
    pub releases: BTreeMap<(String, String), ReleaseState>,
    /// The generation id of every Secret, by namespace and name; none where we did not make it.
    pub secrets: BTreeMap<(String, String), Option<String>>,
    /// The keys of Secrets that somebody else made, where they were asked for.
    pub secret_keys: BTreeMap<(String, String), Vec<String>>,
    /// The labels of every CustomResourceDefinition.
    pub crds: BTreeMap<String, BTreeMap<String, String>>,
    /// The workloads in the namespaces of the scope.
    pub workloads: BTreeMap<Workload, Readiness>,
    /// Our record.
    pub record: Option<StackRecord>,
    /// The version of the Lease: where it moves on, another run has been at work since.
    pub lease: Option<String>,
}

/// A namespace.
#[derive(Debug, Clone, Default)]
pub struct NamespaceState {
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// It is being deleted.
    pub terminating: bool,
}

/// helm's word for how a revision is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReleaseStatus {
    /// In force.
    Deployed,
    /// The last operation failed.
    Failed,
    /// An older revision.
    Superseded,
    /// Removed, history kept.
    Uninstalled,
    /// An uninstall is under way, or was cut off.
    Uninstalling,
    /// A first install is under way, or was cut off.
    PendingInstall,
    /// An upgrade is under way, or was cut off.
    PendingUpgrade,
    /// A rollback is under way, or was cut off.
    PendingRollback,
    /// helm does not know.
    Unknown,
}

impl ReleaseStatus {
    fn parse(text: &str) -> Self {
        match text {
            "deployed" => Self::Deployed,
            "failed" => Self::Failed,
            "superseded" => Self::Superseded,
            "uninstalled" => Self::Uninstalled,
            "uninstalling" => Self::Uninstalling,
            "pending-install" => Self::PendingInstall,
            "pending-upgrade" => Self::PendingUpgrade,
            "pending-rollback" => Self::PendingRollback,
            _ => Self::Unknown,
        }
    }
}

impl std::fmt::Display for ReleaseStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Deployed => "deployed",
            Self::Failed => "failed",
            Self::Superseded => "superseded",
            Self::Uninstalled => "uninstalled",
            Self::Uninstalling => "uninstalling",
            Self::PendingInstall => "pending-install",
            Self::PendingUpgrade => "pending-upgrade",
            Self::PendingRollback => "pending-rollback",
            Self::Unknown => "unknown",
        })
    }
}

/// A helm release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseState {
    /// The newest revision.
    pub revision: u64,
    /// Its status.
    pub status: ReleaseStatus,
    /// The digest it was made with; none if somebody else made it.
    pub digest: Option<String>,
    /// The revision that the digest belongs to.
    pub digest_revision: Option<u64>,
    /// The newest revision that was in force once.
    pub good_revision: Option<u64>,
}

/// Observes the cluster: five reads at the same time.
pub async fn observe(runner: &Runner, scope: &Scope) -> Result<ClusterState, ExecError> {
    let mut own: Vec<String> = scope.namespaces.iter().map(|name| format!("namespace/{name}")).collect();
    own.push(format!("configmap/{RECORD_NAME}"));
    own.push(format!("lease/{LEASE_NAME}"));
    let version = Invocation::new(Tool::Kubectl, ["version", "-o", "json"]);
    let (version, own, secrets, crds, workloads) = tokio::try_join!(
        runner.run(version),
        runner.run(kubectl::get(own, Some(&scope.system))),
        runner.run(kubectl::get_labels("secrets")),
        runner.run(kubectl::get_labels("customresourcedefinitions")),
        workloads(runner, &scope.namespaces),
    )?;
    let version: Value = serde_json::from_str(&version.stdout).unwrap_or_default();
    let mut state = ClusterState {
        server_version: version["serverVersion"]["gitVersion"].as_str().unwrap_or_default().to_owned(),
        workloads,
        crds: kubectl::label_rows(&crds.stdout, false).into_iter().map(|row| (row.name, row.labels)).collect(),
        ..ClusterState::default()
    };
    for object in kubectl::items(&own.stdout) {
        let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        match object["kind"].as_str() {
            Some("Namespace") => _ = state.namespaces.insert(name, namespace(&object)),
            Some("Lease") => state.lease = object["metadata"]["resourceVersion"].as_str().map(str::to_owned),
            _ => state.record = StackRecord::from_config_map(&object),
        }
    }
    for row in kubectl::label_rows(&secrets.stdout, true) {
        if row.labels.get("owner").map(String::as_str) == Some("helm") {
            add_revision(&mut state.releases, &row);
        } else {
            let generation = row.labels.get(GENERATION_LABEL).cloned();
            state.secrets.insert((row.namespace, row.name), generation);
        }
    }
    Ok(state)
}

/// Reads the workloads of namespaces, one call for each.
async fn workloads(runner: &Runner, namespaces: &[String]) -> Result<BTreeMap<Workload, Readiness>, ExecError> {
    let mut tasks = tokio::task::JoinSet::new();
    for namespace in namespaces {
        let call = kubectl::get(["deployments,statefulsets,daemonsets,jobs,persistentvolumeclaims"], Some(namespace));
        let runner = runner.clone();
        tasks.spawn(async move { runner.run(call).await });
    }
    let mut found = BTreeMap::new();
    while let Some(result) = tasks.join_next().await {
        let Ok(output) = result else { continue };
        for object in kubectl::items(&output?.stdout) {
            if let Some(workload) = workload_of(&object) {
                found.insert(workload, readiness(&object));
            }
        }
    }
    Ok(found)
}

/// Returns which workload a live object is.
pub(crate) fn workload_of(object: &Value) -> Option<Workload> {
    Some(Workload {
        kind: WorkloadKind::parse(object["kind"].as_str()?)?,
        namespace: object["metadata"]["namespace"].as_str()?.to_owned(),
        name: object["metadata"]["name"].as_str()?.to_owned(),
    })
}

fn namespace(object: &Value) -> NamespaceState {
    let labels = object["metadata"]["labels"].as_object().into_iter().flatten();
    NamespaceState {
        labels: labels.map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned())).collect(),
        terminating: object["metadata"]["deletionTimestamp"].is_string(),
    }
}

fn add_revision(releases: &mut BTreeMap<(String, String), ReleaseState>, row: &kubectl::LabelRow) {
    let label = |name: &str| row.labels.get(name).map(String::as_str);
    let (Some(name), Some(revision)) = (label("name"), label("version").and_then(|text| text.parse().ok())) else {
        return;
    };
    let status = ReleaseStatus::parse(label("status").unwrap_or_default());
    let good = matches!(status, ReleaseStatus::Deployed | ReleaseStatus::Superseded).then_some(revision);
    let state = releases.entry((row.namespace.clone(), name.to_owned())).or_insert(ReleaseState {
        revision: 0,
        status,
        digest: None,
        digest_revision: None,
        good_revision: None,
    });
    state.good_revision = state.good_revision.max(good);
    if revision > state.revision {
        state.revision = revision;
        state.status = status;
        state.digest = label(DIGEST_LABEL).map(str::to_owned);
        state.digest_revision = label(REVISION_LABEL).and_then(|text| text.parse().ok());
    }
}
