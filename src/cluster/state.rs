//! What the cluster says, read in one burst.

use std::collections::BTreeMap;

use serde_json::Value;

use super::GENERATION_LABEL;
use super::lease::{LeaseState, NAME as LEASE_NAME};
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
    /// kubectl's version, written in the same way.
    pub kubectl_version: String,
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
    /// Who holds the Lease.
    pub holder: Option<LeaseState>,
    /// Every revision that helm keeps, by namespace and name, then by number.
    pub revisions: BTreeMap<(String, String), BTreeMap<u64, HelmRevision>>,
    /// The volume claims in the namespaces of the scope.
    pub claims: Vec<ClaimState>,
}

/// One revision that helm keeps of a release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HelmRevision {
    /// Its status.
    pub status: ReleaseStatus,
    /// The digest that it was made with; none if somebody else made it, even where it inherited the label.
    pub digest: Option<String>,
}

impl HelmRevision {
    /// Says whether it was in force once.
    pub fn is_good(&self) -> bool {
        matches!(self.status, ReleaseStatus::Deployed | ReleaseStatus::Superseded)
    }
}

/// A volume claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimState {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its size, as Kubernetes writes it; that of the volume once it has one.
    pub size: String,
    /// It has a volume and is not being deleted.
    pub bound: bool,
    /// The label that charts name the release in; operators name it after the release and what they made of it.
    pub instance: String,
    /// It is deleted with its release: it stands in the manifest without `helm.sh/resource-policy: keep`, or an object of the
    /// release owns it.
    pub goes_with_release: bool,
}

impl ClaimState {
    fn of(object: &Value) -> Option<Self> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        if object["kind"] != "PersistentVolumeClaim" {
            return None;
        }
        let (metadata, annotations) = (&object["metadata"], &object["metadata"]["annotations"]);
        let wanted = &object["spec"]["resources"]["requests"]["storage"];
        Some(Self {
            namespace: text(&metadata["namespace"]),
            name: text(&metadata["name"]),
            size: text(Some(&object["status"]["capacity"]["storage"]).filter(|it| it.is_string()).unwrap_or(wanted)),
            bound: object["status"]["phase"] == "Bound" && metadata["deletionTimestamp"].is_null(),
            instance: text(&metadata["labels"]["app.kubernetes.io/instance"]),
            goes_with_release: metadata["ownerReferences"].is_array()
                || (annotations["meta.helm.sh/release-name"].is_string()
                    && annotations["helm.sh/resource-policy"] != "keep"),
        })
    }

    /// Says whether it belongs to a release.
    pub fn is_of(&self, namespace: &str, release: &str) -> bool {
        let rest = self.instance.strip_prefix(release);
        self.namespace == namespace && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    }
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
    let (version, own, secrets, crds, (workloads, claims)) = tokio::try_join!(
        runner.run(version),
        runner.run(kubectl::get(own, Some(&scope.system))),
        runner.run(kubectl::get_labels("secrets")),
        runner.run(kubectl::get_labels("customresourcedefinitions")),
        workloads(runner, &scope.namespaces),
    )?;
    let version: Value = serde_json::from_str(&version.stdout).unwrap_or_default();
    let version = |side: &str| version[side]["gitVersion"].as_str().unwrap_or_default().to_owned();
    let mut state = ClusterState {
        server_version: version("serverVersion"),
        kubectl_version: version("clientVersion"),
        workloads,
        claims,
        crds: kubectl::label_rows(&crds.stdout, false).into_iter().map(|row| (row.name, row.labels)).collect(),
        ..ClusterState::default()
    };
    for object in kubectl::items(&own.stdout) {
        let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        match object["kind"].as_str() {
            Some("Namespace") => _ = state.namespaces.insert(name, namespace(&object)),
            Some("Lease") => {
                state.lease = object["metadata"]["resourceVersion"].as_str().map(str::to_owned);
                state.holder = LeaseState::of(&object);
            }
            _ => state.record = StackRecord::from_config_map(&object),
        }
    }
    for row in kubectl::label_rows(&secrets.stdout, true) {
        if row.labels.get("owner").map(String::as_str) == Some("helm") {
            add_revision(&mut state, &row);
        } else {
            let generation = row.labels.get(GENERATION_LABEL).cloned();
            state.secrets.insert((row.namespace, row.name), generation);
        }
    }
    Ok(state)
}

/// Reads who holds the Lease.
pub(crate) async fn observe_lease(runner: &Runner, system: &str) -> Result<Option<LeaseState>, ExecError> {
    let output = runner.run(kubectl::get([format!("lease/{LEASE_NAME}")], Some(system))).await?;
    Ok(kubectl::items(&output.stdout).first().and_then(LeaseState::of))
}

/// Reads the workloads and claims of namespaces, one call for each.
async fn workloads(
    runner: &Runner,
    namespaces: &[String],
) -> Result<(BTreeMap<Workload, Readiness>, Vec<ClaimState>), ExecError> {
    let mut tasks = tokio::task::JoinSet::new();
    for namespace in namespaces {
        let call = kubectl::get(["deployments,statefulsets,daemonsets,jobs,persistentvolumeclaims"], Some(namespace));
        let runner = runner.clone();
        tasks.spawn(async move { runner.run(call).await });
    }
    let (mut found, mut claims) = (BTreeMap::new(), Vec::new());
    while let Some(result) = tasks.join_next().await {
        let Ok(output) = result else { continue };
        for object in kubectl::items(&output?.stdout) {
            if let Some(workload) = workload_of(&object) {
                found.insert(workload, readiness(&object));
            }
            claims.extend(ClaimState::of(&object));
        }
    }
    claims.sort_by(|a, b| (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name)));
    Ok((found, claims))
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

fn add_revision(cluster: &mut ClusterState, row: &kubectl::LabelRow) {
    let label = |name: &str| row.labels.get(name).map(String::as_str);
    let (Some(name), Some(revision)) = (label("name"), label("version").and_then(|text| text.parse().ok())) else {
        return;
    };
    let key = (row.namespace.clone(), name.to_owned());
    let status = ReleaseStatus::parse(label("status").unwrap_or_default());
    let digest = label(DIGEST_LABEL).map(str::to_owned);
    let digest_revision = label(REVISION_LABEL).and_then(|text| text.parse().ok());
    let found = HelmRevision { status, digest: digest.clone().filter(|_| digest_revision == Some(revision)) };
    let state = cluster.releases.entry(key.clone()).or_insert(ReleaseState {
        revision: 0,
        status,
        digest: None,
        digest_revision: None,
        good_revision: None,
    });
    state.good_revision = state.good_revision.max(found.is_good().then_some(revision));
    if revision > state.revision {
        state.revision = revision;
        state.status = status;
        state.digest = digest;
        state.digest_revision = digest_revision;
    }
    cluster.revisions.entry(key).or_default().insert(revision, found);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::ClaimState;

    #[test]
    fn a_claim_goes_with_its_release_where_helm_or_an_owner_deletes_it() {
        let goes = |metadata: serde_json::Value| {
            ClaimState::of(&json!({"kind": "PersistentVolumeClaim", "metadata": metadata})).unwrap().goes_with_release
        };
        let by_helm = json!({"meta.helm.sh/release-name": "loki"});
        let kept = json!({"meta.helm.sh/release-name": "loki", "helm.sh/resource-policy": "keep"});
        assert!(!goes(json!({"name": "of-a-template"})));
        assert!(goes(json!({"annotations": by_helm})) && !goes(json!({"annotations": kept})));
        assert!(goes(json!({"ownerReferences": [{"kind": "Cluster", "name": "pg-ha-cluster"}]})));
    }
}
