//! How an installed stack is, release by release, and why where it is not well.

use serde::Serialize;
use serde_json::Value;

use super::cause::{Cause, LogBook, held, needs_nodes, shown_in};
use super::cause::{CauseKind, Source};
use crate::cluster::{ClusterState, Readiness, ReleaseState, ReleaseStatus, readiness, workload_of};
use crate::exec::{ExecError, Runner};
use crate::render::{Workload, documents};
use crate::stack::{Release, Stack};
use crate::{helm, kubectl};

/// The kinds that tell how a release is.
const KINDS: &str = "deployments,statefulsets,daemonsets,jobs,persistentvolumeclaims,pods,events";

/// How a release is.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Examined {
    /// The release.
    pub(crate) release: String,
    /// Its namespace.
    pub(crate) namespace: String,
    /// helm's word, or `absent`.
    pub(crate) status: String,
    /// The newest revision; none where it is not installed.
    pub(crate) revision: Option<u64>,
    /// How many workloads it has.
    pub(crate) workloads: usize,
    /// What is not ready and shows no cause.
    pub(crate) waiting: Vec<String>,
    /// Why it is not as it should be.
    pub(crate) causes: Vec<Cause>,
}

impl Examined {
    /// Says whether it is deployed and ready.
    pub(crate) fn is_well(&self) -> bool {
        self.status == "deployed" && self.waiting.is_empty() && self.causes.is_empty()
    }

    fn add(&mut self, cause: Cause) {
        // Many pods may say the same.
        if !self.causes.iter().any(|known| known.code == cause.code && known.fix == cause.fix) {
            self.causes.push(cause);
        }
    }
}

/// Looks at all namespaces of a stack, one call for each, and judges the releases that `wanted` says.
pub(crate) async fn examine(
    runner: &Runner,
    stack: &Stack,
    state: &ClusterState,
    wanted: impl Fn(&Release) -> bool,
) -> Result<Vec<Examined>, ExecError> {
    let mut objects = Vec::new();
    for namespace in state.namespaces.keys() {
        objects.extend(kubectl::items(&runner.run(kubectl::get([KINDS], Some(namespace))).await?.stdout));
    }
    if needs_nodes(&objects) {
        let nodes = runner.run(kubectl::get(["nodes"], None)).await.map(|output| output.stdout).unwrap_or_default();
        objects.extend(kubectl::items(&nodes));
    }
    let (book, mut examined) = (LogBook::for_one_look(), Vec::new());
    for release in stack.releases.iter().filter(|release| wanted(release)) {
        examined.push(one(runner, release, state, &objects, &book).await);
    }
    Ok(examined)
}

async fn one(runner: &Runner, release: &Release, state: &ClusterState, objects: &[Value], book: &LogBook) -> Examined {
    let (name, namespace) = (release.name.as_str(), release.namespace.as_str());
    let found = state.releases.get(&(namespace.to_owned(), name.to_owned()));
    let mut examined = Examined {
        release: name.to_owned(),
        namespace: namespace.to_owned(),
        status: found.map_or_else(|| "absent".to_owned(), |found| found.status.to_string()),
        revision: found.map(|found| found.revision),
        workloads: 0,
        waiting: Vec::new(),
        causes: Vec::new(),
    };
    if state.namespaces.get(namespace).is_some_and(|it| it.terminating) {
        examined.causes.extend(leaving(runner, name, namespace).await);
    }
    let Some(found) = found else { return examined };
    let workloads = workloads(runner, release, state).await;
    examined.workloads = workloads.len();
    for workload in &workloads {
        let live = objects.iter().find(|object| workload_of(object).as_ref() == Some(workload));
        let Some(live) = live else {
            examined.waiting.push(format!("{workload}: gone"));
            continue;
        };
        if let Some(text) = held(live) {
            examined.causes.extend(Cause::of_cluster(name, namespace, &format!("{}: {text}", workload.name)));
        }
        match readiness(live) {
            Readiness::Ready => {}
            Readiness::Waiting(why) => match book.cause(runner, name, workload, objects).await {
                Some(cause) => examined.add(cause),
                None => examined.waiting.push(format!("{workload}: {why}")),
            },
            Readiness::Failed(why) => examined.add(book.of_failed(runner, name, workload, &why, objects).await),
        }
    }
    if examined.causes.is_empty() && found.status != ReleaseStatus::Deployed {
        examined.causes.extend(of_record(runner, release, found).await);
    }
    examined
}

/// Returns the workloads of a release: those of our record, or of the manifest that helm keeps where a run failed before its end.
async fn workloads(runner: &Runner, release: &Release, state: &ClusterState) -> Vec<Workload> {
    let recorded = state.record.as_ref().and_then(|record| record.releases.get(&release.name));
    let found = state.releases.get(&(release.namespace.clone(), release.name.clone()));
    if let Some(record) = recorded.filter(|record| found.is_some_and(|found| found.revision == record.revision)) {
        return record.workloads.clone();
    }
    let manifest = runner.run(helm::manifest(&release.name, &release.namespace)).await;
    let objects = manifest.ok().and_then(|output| documents(&output.stdout).ok()).unwrap_or_default();
    Workload::of_manifest(&objects, &release.namespace)
}

/// Returns what helm's own record says of a release that is not deployed.
async fn of_record(runner: &Runner, release: &Release, found: &ReleaseState) -> Option<Cause> {
    let (name, namespace) = (release.name.as_str(), release.namespace.as_str());
    let status = format!("{name}: helm: status {}, revision {}", found.status, found.revision);
    if let Some(cause) = Cause::of_cluster(name, namespace, &status) {
        return Some(cause);
    }
    let history = runner.run(helm::history(name, namespace, 1)).await.ok()?;
    let history: Value = serde_json::from_str(&history.stdout).ok()?;
    let said = history[0]["description"].as_str().unwrap_or_default();
    let cause = Cause::of_words(name, namespace, said);
    Some(cause.with_further_evidence(runner, name, namespace).await)
}

/// Returns what holds a namespace that is being deleted.
async fn leaving(runner: &Runner, release: &str, namespace: &str) -> Option<Cause> {
    let output = runner.run(kubectl::get([format!("namespace/{namespace}")], None)).await.ok()?;
    let objects = kubectl::items(&output.stdout);
    let conditions = objects.first()?["status"]["conditions"].as_array().cloned().unwrap_or_default();
    let why: Vec<&str> = conditions
        .iter()
        .filter(|condition| condition["status"] == "True")
        .filter_map(|condition| condition["message"].as_str())
        .collect();
    let kind: &CauseKind = shown_in(Source::Tool, "is being deleted")?;
    Some(Cause::of_kind(
        kind,
        release,
        namespace,
        &format!("namespace {namespace} is being deleted\n{}", why.join("\n")),
    ))
}
