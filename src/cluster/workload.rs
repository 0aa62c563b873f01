//! When a workload is ready.

use serde_json::Value;

/// How far a workload is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    /// It does what it should.
    Ready,
    /// It is not there yet; the text says what it waits for.
    Waiting(String),
    /// It has ended without success.
    Failed(String),
}

/// Judges a Deployment, StatefulSet, DaemonSet, Job or PersistentVolumeClaim by its status, as kubectl's `rollout
/// status` and helm's `--wait` do.
pub fn readiness(object: &Value) -> Readiness {
    let status = &object["status"];
    let count = |name: &str| status[name].as_u64().unwrap_or(0);
    let observed =
        status["observedGeneration"].as_u64().unwrap_or(0) >= object["metadata"]["generation"].as_u64().unwrap_or(0);
    let wanted = object["spec"]["replicas"].as_u64().unwrap_or(1);
    match object["kind"].as_str() {
        Some("Deployment") => {
            if !observed {
                waiting("the controller has not seen it yet")
            } else if condition(object, "Progressing").is_some_and(|it| it["reason"] == "ProgressDeadlineExceeded") {
                waiting("no progress within its deadline")
            } else if count("updatedReplicas") < wanted {
                Readiness::Waiting(format!("{} of {wanted} pods updated", count("updatedReplicas")))
            } else if count("replicas") > count("updatedReplicas") {
                waiting("old pods are still there")
            } else if count("availableReplicas") < wanted {
                Readiness::Waiting(format!("{} of {wanted} pods ready", count("availableReplicas")))
            } else {
                Readiness::Ready
            }
        }
        Some("StatefulSet") => {
            let rolling = object["spec"]["updateStrategy"]["type"] != "OnDelete";
            if !observed {
                waiting("the controller has not seen it yet")
            } else if count("readyReplicas") < wanted {
                Readiness::Waiting(format!("{} of {wanted} pods ready", count("readyReplicas")))
            } else if rolling && status["updateRevision"] != status["currentRevision"] && wanted > 0 {
                waiting("pods of the old revision are still there")
            } else {
                Readiness::Ready
            }
        }
        Some("DaemonSet") => {
            let wanted = count("desiredNumberScheduled");
            if !observed {
                waiting("the controller has not seen it yet")
            } else if count("updatedNumberScheduled") < wanted {
                Readiness::Waiting(format!("{} of {wanted} pods updated", count("updatedNumberScheduled")))
            } else if count("numberAvailable") < wanted {
                Readiness::Waiting(format!("{} of {wanted} pods ready", count("numberAvailable")))
            } else {
                Readiness::Ready
            }
        }
        Some("Job") => {
            if is_true(object, "Complete") {
                Readiness::Ready
            } else if is_true(object, "Failed") {
                let message =
                    condition(object, "Failed").and_then(|it| it["message"].as_str()).unwrap_or("the Job failed");
                Readiness::Failed(message.to_owned())
            } else {
                waiting("the Job is running")
            }
        }
        Some("PersistentVolumeClaim") => match status["phase"].as_str() {
            Some("Bound") => Readiness::Ready,
            Some("Lost") => Readiness::Failed("its volume is gone".into()),
            _ => waiting("no volume is bound"),
        },
        _ => Readiness::Ready,
    }
}

/// Returns a condition of an object's status.
pub(crate) fn condition<'a>(object: &'a Value, name: &str) -> Option<&'a Value> {
    object["status"]["conditions"].as_array()?.iter().find(|condition| condition["type"] == name)
}

/// Says whether a condition of an object's status is true.
pub(crate) fn is_true(object: &Value, name: &str) -> bool {
    condition(object, name).is_some_and(|condition| condition["status"] == "True")
}

fn waiting(text: &str) -> Readiness {
    Readiness::Waiting(text.to_owned())
}
