//! The last words of containers that ended: evidence, and for some causes the only sign.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

use super::signs::{owned_by, statuses, text_of};
use super::table::outcomes::JOB;
use super::{Cause, find_cause};
use crate::cluster::Redactor;
use crate::exec::Runner;
use crate::kubectl;
use crate::render::Workload;

/// How many lines are evidence enough.
const LINES: u16 = 6;
/// Causes whose reason a container may have written before it ended.
const TOLD_IN_LOGS: &[&str] = &["MLC103", "MLC003", "MLC129", "MLC001"];

/// A container's end: the log of each is read once.
type Key = (String, String, String, u64);

/// The last words that were read so far. Cheap to clone; clones share them.
#[derive(Debug, Clone, Default)]
pub(in crate::apply) struct LogBook(Arc<Mutex<BTreeMap<Key, Vec<String>>>>);

impl LogBook {
    /// Returns the cause of a workload that is not ready, with the last words of the container that shows it.
    pub(in crate::apply) async fn cause(
        &self,
        runner: &Runner,
        release: &str,
        workload: &Workload,
        objects: &[Value],
    ) -> Option<Cause> {
        let cause = find_cause(release, workload, objects)?;
        let Some(pod) = cause.pod.clone().filter(|_| TOLD_IN_LOGS.contains(&cause.code)) else { return Some(cause) };
        let pod = objects.iter().find(|it| it["kind"] == "Pod" && it["metadata"]["name"] == pod.as_str())?;
        let lines = self.of_pod(runner, pod, &workload.namespace).await;
        Some(cause.with_log(release, &workload.namespace, &lines))
    }

    /// Adds the last words of the pods of a Job that failed.
    pub(in crate::apply) async fn of_failed(
        &self,
        runner: &Runner,
        release: &str,
        workload: &Workload,
        message: &str,
        objects: &[Value],
    ) -> Cause {
        let cause = Cause::failed(workload, message);
        if cause.code != JOB.code {
            return cause;
        }
        // The last pod may tell more than the Job: no memory, no Secret.
        if let Some(told) = self.cause(runner, release, workload, objects).await.filter(|told| told.permanent) {
            return told;
        }
        let mut pods: Vec<&Value> = objects.iter().filter(|it| it["kind"] == "Pod" && owned_by(it, workload)).collect();
        pods.sort_by_key(|pod| text_of(&pod["metadata"]["creationTimestamp"]));
        let Some(pod) = pods.last() else { return cause };
        let lines = self.of_pod(runner, pod, &workload.namespace).await;
        cause.with_log(release, &workload.namespace, &lines)
    }

    /// Returns the last words of the container of a pod that ended, now or before.
    async fn of_pod(&self, runner: &Runner, pod: &Value, namespace: &str) -> Vec<String> {
        let ended = |status: &&Value| {
            let failed = |state: &Value| state["exitCode"].as_i64().is_some_and(|code| code != 0);
            failed(&status["state"]["terminated"]) || failed(&status["lastState"]["terminated"])
        };
        let Some(status) = statuses(pod).find(ended) else { return Vec::new() };
        let (name, container) = (text_of(&pod["metadata"]["name"]), text_of(&status["name"]));
        let restarts = status["restartCount"].as_u64().unwrap_or(0);
        let key = (namespace.to_owned(), name.clone(), container.clone(), restarts);
        if let Some(known) = self.read().get(&key) {
            return known.clone();
        }
        // While a container waits for its next start, its log is still that of the last one.
        let previous = status["state"]["running"].is_object();
        let lines = last_words(runner, &name, Some(&container), namespace, previous).await;
        if !lines.is_empty() {
            self.read().insert(key, lines.clone());
        }
        lines
    }

    fn read(&self) -> std::sync::MutexGuard<'_, BTreeMap<Key, Vec<String>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Cause {
    /// Adds the last words of the Job, where it is a hook that failed.
    pub(in crate::apply) async fn with_hook_log(self, runner: &Runner, release: &str, namespace: &str) -> Self {
        if self.code != "MLC129" {
            return self;
        }
        let Some(job) = job_in(&self.evidence) else { return self };
        let lines = last_words(runner, &format!("job/{job}"), None, namespace, false).await;
        self.with_log(release, namespace, &lines)
    }
}

/// Returns the last lines of a container, without values of Secrets; none where these cannot be read to take them out.
async fn last_words(
    runner: &Runner,
    target: &str,
    container: Option<&str>,
    namespace: &str,
    previous: bool,
) -> Vec<String> {
    let log = kubectl::log_tail(target, container, namespace, LINES, previous);
    let (log, redactor) = tokio::join!(runner.run(log), Redactor::load(runner, [namespace]));
    let (Ok(log), Ok(redactor)) = (log, redactor) else { return Vec::new() };
    redactor.clean(&log.stdout).lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect()
}

/// Returns the name of the Job that helm's words are about: helm 4 says `resource Job/NAMESPACE/NAME`, helm 3 `job NAME failed`.
pub(super) fn job_in(text: &str) -> Option<String> {
    let word = |rest: &str| rest.split([' ', ':', '\n']).next().map(str::to_owned).filter(|name| !name.is_empty());
    if let Some((_, rest)) = text.split_once("resource Job/") {
        return word(rest.split_once('/')?.1);
    }
    let (before, _) = text.split_once(" failed: ")?;
    let name = before.rsplit_once("job ").map(|(_, name)| name).filter(|name| !name.contains(' '))?;
    word(name)
}
