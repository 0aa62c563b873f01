//! The last words of containers that ended, or try without an end: evidence, and for some causes the only sign.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::further::{LIMITS, limit_ranges};
use super::signs::{owned_by, statuses, text_of};
use super::table::outcomes::JOB;
use super::{Cause, CauseKind, Names, Source, find_cause, shown_in};
use crate::cluster::Redactor;
use crate::exec::Runner;
use crate::kubectl;
use crate::render::Workload;

/// How many lines are evidence enough.
const LINES: u16 = 6;
/// Causes whose reason a container may have written before it ended.
const TOLD_IN_LOGS: &[&str] = &["MLC103", "MLC003", "MLC129", "MLC001"];
/// The code of a probe that fails.
const PROBE: &str = "MLC111";
/// How long a container may run without being ready before its log is read, and read again. Most are ready by then.
const PATIENCE: Duration = Duration::from_secs(3);

/// One run of a container.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Run {
    namespace: String,
    pod: String,
    container: String,
    restarts: u64,
}

impl Run {
    fn of(namespace: &str, pod: &str, status: &Value) -> Self {
        let (container, restarts) = (text_of(&status["name"]), status["restartCount"].as_u64().unwrap_or(0));
        Self { namespace: namespace.to_owned(), pod: pod.to_owned(), container, restarts }
    }
}

/// What is asked once.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    /// The log of the end before or of this run.
    End(Run),
    /// The LimitRanges of a namespace that set the bound in these words.
    Limits(String, String),
}

/// What a container that runs said last.
#[derive(Debug)]
struct Page {
    read: Instant,
    /// Its lines, if they tell of a cause.
    told: Option<(&'static CauseKind, Vec<String>)>,
}

/// What was asked so far.
#[derive(Debug, Default)]
struct Pages {
    known: BTreeMap<Key, Vec<String>>,
    running: BTreeMap<Run, Page>,
}

/// What was asked so far. Cheap to clone; clones share it.
#[derive(Debug, Clone)]
pub(in crate::apply) struct LogBook {
    pages: Arc<Mutex<Pages>>,
    patience: Duration,
}

impl Default for LogBook {
    fn default() -> Self {
        Self { pages: Arc::default(), patience: PATIENCE }
    }
}

impl LogBook {
    /// Returns one for a single look: a container that runs is heard at once.
    pub(in crate::apply) fn for_one_look() -> Self {
        Self { patience: Duration::ZERO, ..Self::default() }
    }

    /// Returns the cause of a workload that is not ready, with the last words of the container that shows it, or the
    /// LimitRange that forbids its pods.
    pub(in crate::apply) async fn cause(
        &self,
        runner: &Runner,
        release: &str,
        workload: &Workload,
        objects: &[Value],
    ) -> Option<Cause> {
        let found = find_cause(release, workload, objects);
        // That a probe fails says less than the program.
        if found.as_ref().is_none_or(|cause| cause.code == PROBE)
            && let Some(told) = self.told(runner, release, workload, objects).await
        {
            return Some(told);
        }
        let cause = found?;
        if cause.code == LIMITS {
            let key = Key::Limits(workload.namespace.clone(), cause.evidence.clone());
            let known = self.pages().known.get(&key).cloned();
            let lines = match known {
                Some(lines) => lines,
                None => limit_ranges(runner, &workload.namespace, &cause.evidence).await,
            };
            self.pages().known.insert(key, lines.clone());
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

    /// Returns the cause that a container tells of while the cluster shows none: it tries again and again without an end, or has
    /// ended once, which is usual where a program comes before what it needs.
    async fn told(&self, runner: &Runner, release: &str, workload: &Workload, objects: &[Value]) -> Option<Cause> {
        for (pod, status) in unready(workload, objects) {
            let (name, namespace) = (text_of(&pod["metadata"]["name"]), workload.namespace.as_str());
            let still_tries = self.of_running(runner, &name, status, namespace).await;
            let tries = still_tries.is_some();
            let told = match still_tries {
                None if has_failed(status) => {
                    let lines = self.of_end(runner, &name, status, namespace).await;
                    shown_in(Source::Log, &lines.join("\n")).map(|kind| (kind, lines))
                }
                told => told,
            };
            let Some((kind, lines)) = told else { continue };
            let how = if tries { "runs and is not ready" } else { "ended once" };
            let evidence = format!("{name}: container {} {how}", text_of(&status["name"]));
            let cause = Cause::new(kind, evidence, Names { release, namespace, object: &name });
            let permanent = cause.permanent && tries;
            return Some(Cause { permanent, ..cause }.with_log(release, namespace, &lines));
        }
        None
    }

    /// Returns the last words of the container of a pod that ended, now or before.
    async fn of_pod(&self, runner: &Runner, pod: &Value, namespace: &str) -> Vec<String> {
        let Some(status) = statuses(pod).find(|status| has_failed(status)) else { return Vec::new() };
        self.of_end(runner, &text_of(&pod["metadata"]["name"]), status, namespace).await
    }

    /// Returns the last words of a container that ended, now or before.
    async fn of_end(&self, runner: &Runner, pod: &str, status: &Value, namespace: &str) -> Vec<String> {
        let run = Run::of(namespace, pod, status);
        let key = Key::End(run.clone());
        if let Some(known) = self.pages().known.get(&key) {
            return known.clone();
        }
        // While a container waits for its next start, its log is still that of the last one.
        let previous = status["state"]["running"].is_object();
        let lines = last_words(runner, pod, Some(&run.container), namespace, previous).await;
        if !lines.is_empty() {
            self.pages().known.insert(key, lines.clone());
        }
        lines
    }

    /// Returns the cause that a container tells of that runs, and the lines that do.
    async fn of_running(
        &self,
        runner: &Runner,
        pod: &str,
        status: &Value,
        namespace: &str,
    ) -> Option<(&'static CauseKind, Vec<String>)> {
        if !status["state"]["running"].is_object() {
            return None;
        }
        let run = Run::of(namespace, pod, status);
        {
            let mut pages = self.pages();
            let page = pages.running.entry(run.clone()).or_insert_with(|| Page { read: Instant::now(), told: None });
            if page.read.elapsed() < self.patience {
                return page.told.clone();
            }
            page.read = Instant::now();
        }
        let log = runner.run(kubectl::log_tail(pod, Some(&run.container), namespace, LINES, false)).await.ok()?;
        // Few logs tell of a cause; only of these are the Secrets taken out.
        let told = match shown_in(Source::Log, &log.stdout) {
            Some(kind) => Some((kind, cleaned(&log.stdout, &Redactor::load(runner, [namespace]).await.ok()?))),
            None => None,
        };
        self.pages().running.insert(run, Page { read: Instant::now(), told: told.clone() });
        told
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the states of all containers of a workload that are not ready, with their pods.
fn unready<'a>(workload: &Workload, objects: &'a [Value]) -> Vec<(&'a Value, &'a Value)> {
    let pods = objects.iter().filter(|it| it["kind"] == "Pod" && owned_by(it, workload));
    let states = pods.flat_map(|pod| statuses(pod).map(move |status| (pod, status)));
    states.filter(|(_, status)| status["ready"] == false).collect()
}

/// Says whether a container has ended with an error, now or before.
fn has_failed(status: &Value) -> bool {
    let failed = |state: &Value| state["exitCode"].as_i64().is_some_and(|code| code != 0);
    failed(&status["state"]["terminated"]) || failed(&status["lastState"]["terminated"])
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
    cleaned(&log.stdout, &redactor)
}

fn cleaned(log: &str, redactor: &Redactor) -> Vec<String> {
    // The kubelet answers so, as if it were the log, where a dead container was removed before its status says so.
    let said = |line: &&str| !line.trim().is_empty() && !line.starts_with("unable to retrieve container logs for ");
    redactor.clean(log).lines().filter(said).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::{Redactor, cleaned};

    #[test]
    fn the_kubelets_regret_is_no_log() {
        let lines = |log: &str| cleaned(log, &Redactor::default());
        assert!(lines("unable to retrieve container logs for containerd://61f9fb37").is_empty());
        assert_eq!(lines("\nthere is no table\n"), ["there is no table"]);
    }
}
