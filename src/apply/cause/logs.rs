//! The last words of containers that ended: evidence, and for some causes the only sign.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

use super::further::{LIMITS, limit_ranges};
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

/// What is asked once.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    /// The log of a container's end: namespace, pod, container, restarts.
    End(String, String, String, u64),
    /// The LimitRanges of a namespace that set the bound in these words.
    Limits(String, String),
}

/// What was asked so far. Cheap to clone; clones share it.
#[derive(Debug, Clone, Default)]
pub(in crate::apply) struct LogBook(Arc<Mutex<BTreeMap<Key, Vec<String>>>>);

impl LogBook {
    /// Returns the cause of a workload that is not ready, with the last words of the container that shows it, or the
    /// LimitRange that forbids its pods.
    pub(in crate::apply) async fn cause(
        &self,
        runner: &Runner,
        release: &str,
        workload: &Workload,
        objects: &[Value],
    ) -> Option<Cause> {
        let cause = find_cause(release, workload, objects)?;
        if cause.code == LIMITS {
            let key = Key::Limits(workload.namespace.clone(), cause.evidence.clone());
            let known = self.read().get(&key).cloned();
            let lines = match known {
                Some(lines) => lines,
                None => limit_ranges(runner, &workload.namespace, &cause.evidence).await,
            };
            self.read().insert(key, lines.clone());
            return Some(cause.with_lines(&lines));
        }
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
        let key = Key::End(namespace.to_owned(), name.clone(), container.clone(), restarts);
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

/// Returns the last lines of a container, without values of Secrets; none where these cannot be read to take them out.
pub(super) async fn last_words(
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
