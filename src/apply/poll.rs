//! One look at everything that is not ready yet.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;

use super::cause::{Cause, LogBook, needs_nodes};
use crate::cluster::{Readiness, is_true, readiness, workload_of};
use crate::exec::{ExecError, Runner};
use crate::kubectl;
use crate::render::{Workload, WorkloadKind};
use crate::stack::ReadySpec;

/// The longest pause between two looks.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// What a release waits for.
#[derive(Debug, Clone)]
pub(super) struct Watched {
    /// The release.
    pub(super) release: String,
    /// Its namespace.
    pub(super) namespace: String,
    /// Its workloads.
    pub(super) workloads: Vec<Workload>,
    /// Further objects that must be ready.
    pub(super) ready: Vec<ReadySpec>,
}

/// What one look at a release says.
#[derive(Debug, Clone)]
pub(super) enum Seen {
    /// Everything is ready.
    Ready,
    /// Something is not; why, if the cluster tells.
    Waiting { text: String, cause: Option<Cause> },
}

/// Looks at the namespaces of all watched releases, one call for each, and judges every release. `book` keeps what containers
/// have written from one look to the next.
pub(super) async fn look(
    runner: &Runner,
    watched: &[Watched],
    book: &LogBook,
) -> Result<Vec<(String, Seen)>, ExecError> {
    let mut objects = Vec::new();
    for (namespace, kinds) in kinds_by_namespace(watched) {
        let kinds = Vec::from_iter(kinds).join(",");
        objects.extend(kubectl::items(&runner.run(kubectl::get([kinds], Some(namespace))).await?.stdout));
    }
    if needs_nodes(&objects) {
        // Who may not read nodes still learns that none of them takes the pod.
        let nodes = runner.run(kubectl::get(["nodes"], None)).await.map(|output| output.stdout).unwrap_or_default();
        objects.extend(kubectl::items(&nodes));
    }
    let mut seen = Vec::with_capacity(watched.len());
    for it in watched {
        let mut verdict = judge(runner, it, &objects, book).await;
        if matches!(verdict, Seen::Ready) {
            verdict = look_at_conditions(runner, it).await;
        }
        seen.push((it.release.clone(), verdict));
    }
    Ok(seen)
}

/// Returns what is to be looked at in each namespace: the kinds of what is waited for, since each further one costs kubectl some
/// 10 ms, and those that tell what holds it up.
fn kinds_by_namespace(watched: &[Watched]) -> BTreeMap<&str, BTreeSet<&'static str>> {
    let reasons = || BTreeSet::from(["persistentvolumeclaims", "pods", "events"]);
    let mut kinds: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for it in watched {
        kinds.entry(&it.namespace).or_insert_with(reasons);
        for workload in &it.workloads {
            kinds.entry(&workload.namespace).or_insert_with(reasons).insert(workload.kind.resource());
        }
    }
    kinds
}

/// Returns how long to wait after a look that took this long: an API server that is slow to answer is asked for a third of the
/// time at most, though never less often than the longest pause between two looks.
pub(super) fn pause_after(took: Duration, least: Duration) -> Duration {
    least.max((took * 2).min(LONGEST_PAUSE))
}

async fn judge(runner: &Runner, watched: &Watched, objects: &[Value], book: &LogBook) -> Seen {
    let mut waiting: Option<(String, Option<Cause>)> = None;
    for workload in &watched.workloads {
        let live = objects.iter().find(|object| workload_of(object).as_ref() == Some(workload));
        let state = live.map_or_else(|| Readiness::Waiting("it is not there yet".into()), readiness);
        // A claim without a consumer waits by its class's own rule; a pod that needs it will say so.
        let skip = workload.kind == WorkloadKind::PersistentVolumeClaim && matches!(state, Readiness::Waiting(_));
        let (text, cause) = match state {
            Readiness::Ready => continue,
            _ if skip => continue,
            Readiness::Waiting(why) => {
                let cause = book.cause(runner, &watched.release, workload, objects).await;
                (format!("{workload}: {why}"), cause)
            }
            Readiness::Failed(why) => {
                let cause = book.of_failed(runner, &watched.release, workload, &why, objects).await;
                (format!("{workload}: {why}"), Some(cause))
            }
        };
        if waiting.as_ref().is_none_or(|(_, known)| known.is_none() && cause.is_some()) {
            waiting = Some((text, cause));
        }
    }
    waiting.map_or(Seen::Ready, |(text, cause)| Seen::Waiting { text, cause })
}

async fn look_at_conditions(runner: &Runner, watched: &Watched) -> Seen {
    for spec in &watched.ready {
        let call = kubectl::get([format!("{}/{}", spec.resource, spec.name)], Some(&watched.namespace));
        // A kind that is not there yet is a reason to wait, for this release only.
        let objects = runner.run(call).await.map(|output| kubectl::items(&output.stdout)).unwrap_or_default();
        if !objects.first().is_some_and(|object| is_true(object, &spec.condition)) {
            let text = format!("{}/{}: condition {} is not true", spec.resource, spec.name, spec.condition);
            return Seen::Waiting { text, cause: None };
        }
    }
    Seen::Ready
}
