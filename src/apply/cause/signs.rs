//! What live objects say about a workload, as texts for the table.

use serde_json::Value;

use crate::cluster::{condition, is_true};
use crate::render::{Workload, WorkloadKind};

/// Something that the cluster says about an object.
#[derive(Debug)]
pub(super) struct Said {
    /// The name of the object.
    pub(super) about: String,
    /// It is a pod that is there.
    pub(super) is_pod: bool,
    /// The words.
    pub(super) text: String,
}

/// Finalizers that the control plane takes off by itself.
const USUAL_FINALIZERS: &[&str] = &[
    "kubernetes.io/pvc-protection",
    "kubernetes.io/pv-protection",
    "batch.kubernetes.io/job-tracking",
    "foregroundDeletion",
    "orphan",
];

/// Returns everything that live objects say about a workload: its pods, their claims, the nodes they may go to, and warnings.
pub(super) fn signs(workload: &Workload, objects: &[Value]) -> Vec<Said> {
    let pods: Vec<&Value> =
        objects.iter().filter(|object| object["kind"] == "Pod" && owned_by(object, workload)).collect();
    let mut said = Vec::new();
    for pod in &pods {
        of_pod(pod, &mut said);
        of_nodes(pod, objects, &mut said);
    }
    for claim in claims(workload, &pods, objects) {
        of_deletion(claim, &mut said);
    }
    for event in objects.iter().filter(|object| object["kind"] == "Event") {
        of_event(event, workload, &pods, objects, &mut said);
    }
    said
}

/// Returns the text of a deletion that waits for somebody.
pub(crate) fn held(object: &Value) -> Option<String> {
    object["metadata"]["deletionTimestamp"].as_str()?;
    let finalizers = object["metadata"]["finalizers"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let foreign: Vec<&str> = finalizers.filter(|name| !USUAL_FINALIZERS.contains(name)).collect();
    let kind = object["kind"].as_str().unwrap_or_default();
    (!foreign.is_empty()).then(|| format!("Deleting: {kind} waits for finalizer {}", foreign.join(", ")))
}

fn of_deletion(object: &Value, said: &mut Vec<Said>) {
    if let Some(text) = held(object) {
        said.push(Said { about: text_of(&object["metadata"]["name"]), is_pod: object["kind"] == "Pod", text });
    }
}

fn of_pod(pod: &Value, said: &mut Vec<Said>) {
    let name = text_of(&pod["metadata"]["name"]);
    let mut say = |text: String| said.push(Said { about: name.clone(), is_pod: true, text });
    for status in statuses(pod) {
        for state in ["waiting", "terminated"] {
            let (now, last) = (&status["state"][state], &status["lastState"][state]);
            for (found, ended) in [(now, state == "terminated"), (last, true)] {
                let reason = text_of(&found["reason"]);
                let telling = ["OOMKilled", "StartError", "ContainerCannotRun"].contains(&reason.as_str());
                if !reason.is_empty() && (!ended || telling) {
                    let container = text_of(&status["name"]);
                    say(format!("{reason}: container {container}: {}", text_of(&found["message"])));
                }
            }
        }
    }
    // A pod that has failed as a whole, such as one that was evicted, starts no container again.
    let starts_again = pod["status"]["phase"] != "Failed";
    for status in statuses(pod).filter(|_| starts_again) {
        if let Some(how) = ends_in_vain(status) {
            say(format!("Ended: container {}: {how}", text_of(&status["name"])));
        }
    }
    if let Some(condition) = unscheduled(pod) {
        say(text_of(&condition["message"]));
    }
    if pod["status"]["reason"] == "Evicted" {
        say(format!("Evicted: {}", text_of(&pod["status"]["message"])));
    }
    of_deletion(pod, said);
}

/// Returns how a container ended last that has ended twice and is not ready: between two ends a crash loop looks like a start.
/// One end is usual where a program comes before what it needs.
fn ends_in_vain(status: &Value) -> Option<String> {
    let (now, last) = (&status["state"]["terminated"], &status["lastState"]["terminated"]);
    let failed = |state: &Value| state["exitCode"].as_i64().filter(|code| *code != 0);
    let restarts = status["restartCount"].as_u64().unwrap_or(0);
    let (code, ends) = match failed(now) {
        Some(code) => (code, restarts + 1),
        None => (failed(last).filter(|_| status["state"]["running"].is_object())?, restarts),
    };
    (ends >= 2 && status["ready"] == false).then(|| format!("exit code {code}, {ends} times"))
}

/// The scheduler counts taints, but does not say which; the nodes do.
fn of_nodes(pod: &Value, objects: &[Value], said: &mut Vec<Said>) {
    let tainted = |condition: &Value| text_of(&condition["message"]).contains("untolerated taint");
    if !unscheduled(pod).is_some_and(tainted) {
        return;
    }
    let wanted = pod["spec"]["nodeSelector"].as_object();
    let takes = |node: &&Value| {
        let labels = &node["metadata"]["labels"];
        wanted.is_none_or(|wanted| wanted.iter().all(|(key, value)| labels[key.as_str()] == *value))
    };
    for node in objects.iter().filter(|object| object["kind"] == "Node").filter(takes) {
        let name = text_of(&node["metadata"]["name"]);
        let mut say = |text: String| said.push(Said { about: name.clone(), is_pod: false, text });
        for pressure in ["DiskPressure", "MemoryPressure", "PIDPressure"] {
            if is_true(node, pressure) {
                let message = condition(node, pressure).map(|it| text_of(&it["message"])).unwrap_or_default();
                say(format!("NodePressure: {pressure}: {message}"));
            }
        }
        if !is_true(node, "Ready") {
            let ready = condition(node, "Ready");
            let why = ready.map(|it| format!("{} {}", text_of(&it["reason"]), text_of(&it["message"])));
            say(format!("NodeNotReady: the node is not ready: {}", why.unwrap_or_default()));
        }
    }
}

fn of_event(event: &Value, workload: &Workload, pods: &[&Value], objects: &[Value], said: &mut Vec<Said>) {
    let (about, reason) = (&event["involvedObject"], text_of(&event["reason"]));
    if about["namespace"] != workload.namespace.as_str() {
        return;
    }
    // That a claim finds no volume is told as if it were normal.
    if event["type"] != "Warning" && reason != "FailedBinding" {
        return;
    }
    // Events outlive pods, and a pod of a StatefulSet has the name of the one before it.
    let same =
        |object: &Value| object["metadata"]["name"] == about["name"] && object["metadata"]["uid"] == about["uid"];
    let pod = pods.iter().find(|pod| about["kind"] == "Pod" && same(pod));
    if pod.is_some_and(|pod| is_only_starting(pod, event) || is_past(pod, event)) {
        return;
    }
    let claim = about["kind"] == "PersistentVolumeClaim" && claims(workload, pods, objects).iter().any(|it| same(it));
    if pod.is_some() || claim || is_or_makes_pods_of(about, workload) {
        let text = format!("{reason}: {}", text_of(&event["message"]));
        said.push(Said { about: text_of(&about["name"]), is_pod: pod.is_some(), text });
    }
}

/// Returns the claims that pods of a workload use.
fn claims<'a>(workload: &Workload, pods: &[&Value], objects: &'a [Value]) -> Vec<&'a Value> {
    let names: Vec<&Value> = pods
        .iter()
        .flat_map(|pod| pod["spec"]["volumes"].as_array().into_iter().flatten())
        .map(|volume| &volume["persistentVolumeClaim"]["claimName"])
        .filter(|name| name.is_string())
        .collect();
    let ours = |object: &&Value| {
        object["kind"] == "PersistentVolumeClaim"
            && object["metadata"]["namespace"] == workload.namespace.as_str()
            && names.contains(&&object["metadata"]["name"])
    };
    objects.iter().filter(ours).collect()
}

/// Returns the condition of a pod that no node takes.
pub(super) fn unscheduled(pod: &Value) -> Option<&Value> {
    condition(pod, "PodScheduled").filter(|it| it["status"] == "False")
}

/// Says whether an event is about volumes of a pod that has them by now: they come before its first container.
fn is_past(pod: &Value, event: &Value) -> bool {
    let begun = |status: &Value| ["running", "terminated"].iter().any(|state| !status["state"][*state].is_null());
    matches!(event["reason"].as_str(), Some("FailedMount" | "FailedAttachVolume")) && statuses(pod).any(begun)
}

/// Says whether an event is about a startup probe that has cost no restart yet: until then it is the way every start looks.
fn is_only_starting(pod: &Value, event: &Value) -> bool {
    let restarted = statuses(pod).any(|status| status["restartCount"].as_u64().unwrap_or(0) > 0);
    !restarted && text_of(&event["message"]).starts_with("Startup probe failed")
}

/// Returns the states of all containers of a pod.
pub(super) fn statuses(pod: &Value) -> impl Iterator<Item = &Value> {
    ["initContainerStatuses", "containerStatuses"]
        .into_iter()
        .flat_map(|part| pod["status"][part].as_array().into_iter().flatten())
}

/// Says whether a pod belongs to a workload.
pub(super) fn owned_by(pod: &Value, workload: &Workload) -> bool {
    let owners = pod["metadata"]["ownerReferences"].as_array();
    workload.kind != WorkloadKind::PersistentVolumeClaim
        && pod["metadata"]["namespace"] == workload.namespace.as_str()
        && owners.into_iter().flatten().any(|owner| is_or_makes_pods_of(owner, workload))
}

/// Says whether a reference is to a workload, or to the ReplicaSet between a Deployment and its pods.
fn is_or_makes_pods_of(reference: &Value, workload: &Workload) -> bool {
    let name = text_of(&reference["name"]);
    let made = workload.kind == WorkloadKind::Deployment
        && reference["kind"] == "ReplicaSet"
        && name.rsplit_once('-').is_some_and(|(deployment, _)| deployment == workload.name);
    made || reference["kind"] == workload.kind.to_string().as_str() && name == workload.name
}

pub(super) fn text_of(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
