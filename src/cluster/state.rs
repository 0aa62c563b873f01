//! What the cluster says, read at the same time as far as possible.

use std::collections::BTreeMap;

use serde_json::Value;

use super::GENERATION_LABEL;
use super::lease::{KnownLease, LeaseState, NAME as LEASE_NAME};
use super::record::{RECORD_NAME, StackRecord};
use super::workload::{Readiness, readiness};
use crate::exec::{ExecError, Invocation, Runner, Tool};
use crate::helm::{DIGEST_LABEL, REVISION_LABEL};
use crate::kubectl::{self, LabelRow};
use crate::render::{Workload, WorkloadKind};

/// The kinds of rows that are no Secrets.
const CLAIM: &str = "persistentvolumeclaim";
const CRD: &str = "customresourcedefinition";

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
    /// The Lease.
    pub lease: Option<KnownLease>,
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

/// Observes the cluster: four reads at the same time, then one for each further namespace of the stack that anything may be in.
pub async fn observe(runner: &Runner, scope: &Scope) -> Result<ClusterState, ExecError> {
    let mut own: Vec<String> = scope.namespaces.iter().map(|name| format!("namespace/{name}")).collect();
    own.push(format!("configmap/{RECORD_NAME}"));
    own.push(format!("lease/{LEASE_NAME}"));
    let version = Invocation::new(Tool::Kubectl, ["version", "-o", "json"]);
    let system = [scope.system.as_str()];
    let (version, own, rows, mut objects) = tokio::try_join!(
        runner.run(version),
        runner.run(kubectl::get(own, Some(&scope.system))),
        runner.run(kubectl::get_labels("secrets,persistentvolumeclaims,customresourcedefinitions")),
        workloads(runner, &system),
    )?;
    let rows = kubectl::label_rows(&rows.stdout);
    let version: Value = serde_json::from_str(&version.stdout).unwrap_or_default();
    let version = |side: &str| version[side]["gitVersion"].as_str().unwrap_or_default().to_owned();
    let mut state = ClusterState {
        server_version: version("serverVersion"),
        kubectl_version: version("clientVersion"),
        ..ClusterState::default()
    };
    for object in kubectl::items(&own.stdout) {
        let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        match object["kind"].as_str() {
            Some("Namespace") => _ = state.namespaces.insert(name, namespace(&object)),
            Some("Lease") => {
                let version = object["metadata"]["resourceVersion"].as_str().unwrap_or_default().to_owned();
                state.lease = Some(KnownLease { version, holder: LeaseState::of(&object) });
            }
            _ => state.record = StackRecord::from_config_map(&object),
        }
    }
    let further = inhabited(scope, &rows, state.record.as_ref());
    objects.extend(workloads(runner, &further).await?);
    state.workloads = objects.iter().filter_map(|object| Some((workload_of(object)?, readiness(object)))).collect();
    state.claims = objects.iter().filter_map(ClaimState::of).collect();
    state.claims.sort_by(|a, b| (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name)));
    for row in rows {
        match row.kind.as_str() {
            CLAIM => {}
            CRD => _ = state.crds.insert(row.name, row.labels),
            _ if is_release(&row) => add_revision(&mut state, &row),
            _ => {
                let generation = row.labels.get(GENERATION_LABEL).cloned();
                state.secrets.insert((row.namespace, row.name), generation);
            }
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
async fn workloads(runner: &Runner, namespaces: &[&str]) -> Result<Vec<Value>, ExecError> {
    let mut tasks = tokio::task::JoinSet::new();
    for namespace in namespaces {
        let call = kubectl::get(["deployments,statefulsets,daemonsets,jobs,persistentvolumeclaims"], Some(namespace));
        let runner = runner.clone();
        tasks.spawn(async move { runner.run(call).await });
    }
    let mut objects = Vec::new();
    while let Some(result) = tasks.join_next().await {
        let Ok(output) = result else { continue };
        objects.extend(kubectl::items(&output?.stdout));
    }
    Ok(objects)
}

/// Returns the namespaces beside the system one that may hold workloads or claims of ours: those with a release or a claim, and
/// those that a release of another namespace has put workloads into, which only the record tells.
fn inhabited<'a>(scope: &'a Scope, rows: &[LabelRow], record: Option<&StackRecord>) -> Vec<&'a str> {
    let unrecorded = |row: &LabelRow| {
        let label = |name: &str| row.labels.get(name).map(String::as_str).unwrap_or_default();
        let known = record.and_then(|record| record.releases.get(label("name"))).map(|it| it.revision);
        let revision = label("version").parse().ok();
        // None is less than any.
        is_release(row) && scope.namespaces.contains(&row.namespace) && known < revision
    };
    let anywhere = rows.iter().any(unrecorded);
    let workloads = || record.iter().flat_map(|it| it.releases.values()).flat_map(|it| &it.workloads);
    let holds = |name: &str| {
        rows.iter().any(|row| row.namespace == name && (row.kind == CLAIM || is_release(row)))
            || workloads().any(|workload| workload.namespace == name)
    };
    let further = scope.namespaces.iter().map(String::as_str).filter(|name| *name != scope.system);
    further.filter(|name| anywhere || holds(name)).collect()
}

/// Says whether it is a Secret that helm keeps a revision in.
fn is_release(row: &LabelRow) -> bool {
    row.labels.get("owner").map(String::as_str) == Some("helm")
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

fn add_revision(cluster: &mut ClusterState, row: &LabelRow) {
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

    use super::{ClaimState, Scope, inhabited};
    use crate::cluster::{ReleaseRecord, StackRecord};
    use crate::kubectl::label_rows;
    use crate::render::{Workload, WorkloadKind};

    #[test]
    fn only_namespaces_that_may_hold_something_are_read() {
        let scope = Scope { system: "system".into(), namespaces: ["system", "dev", "prod"].map(str::to_owned).into() };
        let pg = "system secret/sh.helm.release.v1.pg.v1 helm.sh/release.v1 1 1h name=pg,owner=helm,version=1\n";
        let of = |rows: &str, record: Option<&StackRecord>| inhabited(&scope, &label_rows(rows), record).join(" ");
        let mut release = ReleaseRecord { revision: 1, ..ReleaseRecord::default() };
        let record = |release: &ReleaseRecord| StackRecord {
            releases: [("pg".to_owned(), release.clone())].into(),
            ..StackRecord::default()
        };
        let plain = record(&release);
        assert_eq!(of(pg, Some(&plain)), "");
        assert_eq!(of(&format!("{pg}prod persistentvolumeclaim/data Bound <none>"), Some(&plain)), "prod");
        assert_eq!(of(&pg.replace("system", "dev"), Some(&plain)), "dev");
        release.workloads.push(Workload { kind: WorkloadKind::Job, namespace: "dev".into(), name: "seed".into() });
        assert_eq!(of(pg, Some(&record(&release))), "dev");
        // What nobody has written down may be anywhere, unless it is in a namespace of others.
        assert_eq!(of(pg, None), "dev prod");
        assert_eq!(of(&pg.replace("version=1", "version=2"), Some(&plain)), "dev prod");
        assert_eq!(of(&pg.replace("system", "elsewhere"), None), "");
    }

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
