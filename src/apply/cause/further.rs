//! What helm and the API server leave out, asked of the cluster: a hook's last words, the autoscaler, the LimitRange.

use serde_json::Value;

use super::Cause;
use super::logs::last_words;
use super::signs::text_of;
use super::words::{job_in, limit_in, object_in};
use crate::exec::Runner;
use crate::kubectl;

/// The code of a hook that failed.
const HOOK: &str = "MLC129";
/// The code of a number of replicas that an autoscaler owns.
const AUTOSCALER: &str = "MLC137";
/// The code of a bound that a LimitRange sets.
pub(super) const LIMITS: &str = "MLC125";

impl Cause {
    /// Adds what helm did not say of an error: the last words of the hook that failed, or the object behind it.
    pub(in crate::apply) async fn with_further_evidence(self, runner: &Runner, release: &str, namespace: &str) -> Self {
        match self.code {
            HOOK => {
                let Some(job) = job_in(&self.evidence) else { return self };
                let lines = last_words(runner, &format!("job/{job}"), None, namespace, false).await;
                self.with_log(release, namespace, &lines)
            }
            AUTOSCALER => {
                let lines = autoscalers(runner, namespace, &self.evidence).await;
                self.with_lines(&lines)
            }
            LIMITS => {
                let lines = limit_ranges(runner, namespace, &self.evidence).await;
                self.with_lines(&lines)
            }
            _ => self,
        }
    }
}

/// Names the autoscalers of the workload that helm was applying.
async fn autoscalers(runner: &Runner, namespace: &str, evidence: &str) -> Vec<String> {
    let Some(object) = object_in(evidence) else { return Vec::new() };
    let call = kubectl::get(["horizontalpodautoscalers"], Some(namespace));
    let found = runner.run(call).await.map(|output| kubectl::items(&output.stdout)).unwrap_or_default();
    let of_object = |autoscaler: &&Value| {
        let target = &autoscaler["spec"]["scaleTargetRef"];
        target["kind"] == object.kind && target["name"] == object.name
    };
    let line = |autoscaler: &Value| {
        let (name, spec) = (text_of(&autoscaler["metadata"]["name"]), &autoscaler["spec"]);
        let least = spec["minReplicas"].as_u64().unwrap_or(1);
        format!("HorizontalPodAutoscaler {name} scales it, from {least} to {}", spec["maxReplicas"])
    };
    found.iter().filter(of_object).map(line).collect()
}

/// Names the LimitRanges of a namespace that set the bound in the API server's words.
pub(super) async fn limit_ranges(runner: &Runner, namespace: &str, evidence: &str) -> Vec<String> {
    let Some(limit) = limit_in(evidence) else { return Vec::new() };
    let call = kubectl::get(["limitranges"], Some(namespace));
    let found = runner.run(call).await.map(|output| kubectl::items(&output.stdout)).unwrap_or_default();
    let sets = |range: &&Value| {
        let mut limits = range["spec"]["limits"].as_array().into_iter().flatten();
        limits.any(|it| it["type"] == limit.of && it[limit.field].get(limit.resource).is_some())
    };
    found
        .iter()
        .filter(sets)
        .map(|range| format!("set by LimitRange {}", text_of(&range["metadata"]["name"])))
        .collect()
}
