//! Which cause is found in which objects.

use std::collections::BTreeSet;

use mlopsctl::apply::{Cause, causes, find_cause};
use mlopsctl::render::{Workload, WorkloadKind};
use serde_json::{Value, json};

use crate::cause_table::{POD, TAINTED, event, leaving, node, ours, pod, table, unscheduled, waiting};

fn workload(kind: WorkloadKind) -> Workload {
    Workload { kind, namespace: "mlops-system".into(), name: "mlflow".into() }
}

fn find(objects: &[Value]) -> Option<Cause> {
    find_cause("mlflow", &workload(WorkloadKind::Deployment), objects)
}

fn code(objects: &[Value]) -> Option<&'static str> {
    find(objects).map(|cause| cause.code)
}

#[test]
fn each_cause_is_found_in_its_objects() {
    for (expected, objects) in table() {
        assert_eq!(code(&objects), Some(expected), "{objects:?}");
    }
}

/// Codes that no object in the cluster shows: helm, kubectl, a program's log or the run itself tells.
fn told_otherwise(code: &str) -> bool {
    let told = [
        "MLC112", "MLC113", "MLC122", "MLC124", "MLC129", "MLC130", "MLC131", "MLC133", "MLC134", "MLC136", "MLC137",
        "MLC138", "MLC139",
    ];
    told.contains(&code) || code < "MLC100" || (code > "MLC200" && code != "MLC203")
}

#[test]
fn no_cause_is_without_objects_that_show_it() {
    let shown: BTreeSet<&str> = table().into_iter().map(|(code, _)| code).collect();
    let known = causes().map(|kind| kind.code).filter(|code| !told_otherwise(code)).collect();
    assert_eq!(shown, known);
}

#[test]
fn codes_are_unique_and_have_the_fixed_form() {
    let form = regex_lite::Regex::new("^MLC[0-9]+$").unwrap();
    let codes: BTreeSet<&str> = causes().map(|kind| kind.code).collect();
    assert_eq!(codes.len(), causes().count());
    assert!(codes.iter().all(|code| form.is_match(code)), "{codes:?}");
}

#[test]
fn every_cause_says_what_it_means_and_what_to_do() {
    for kind in causes() {
        assert!(!kind.title.is_empty() && !kind.fix.is_empty() && kind.meaning.ends_with('.'), "{}", kind.code);
        assert!(!kind.title.ends_with('.') && !kind.fix.ends_with('.'), "{}", kind.code);
    }
}

/// A fix is a command to paste: the names in it are those of this case.
#[test]
fn the_fix_has_no_placeholder_left() {
    for (_, objects) in table() {
        let cause = find(&objects).unwrap();
        for word in ["NAMESPACE", "POD", "RELEASE", " NAME"] {
            assert!(!cause.fix.contains(word), "{}: {}", cause.code, cause.fix);
        }
    }
    let crash = find(&[waiting("CrashLoopBackOff", "x")]).unwrap();
    assert_eq!(crash.fix, format!("kubectl logs -n mlops-system {POD} --previous"));
}

#[test]
fn the_evidence_is_what_the_cluster_said() {
    let cause = find(&[waiting("ErrImagePull", "manifest unknown")]).unwrap();
    assert_eq!(cause.evidence, format!("{POD}: ErrImagePull: container server: manifest unknown"));
    let cause = find(&[waiting("CrashLoopBackOff", "")]).unwrap();
    assert_eq!(cause.evidence, format!("{POD}: CrashLoopBackOff: container server"));
}

/// The more telling of two signs wins, whatever their order.
#[test]
fn the_more_specific_cause_wins() {
    let memory = event(POD, "BackOff", "Back-off restarting failed container");
    let oom = ours(json!({"containerStatuses": [{
        "name": "server",
        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
        "lastState": {"terminated": {"reason": "OOMKilled"}},
    }]}));
    for objects in [[memory.clone(), oom.clone()], [oom, memory]] {
        assert_eq!(code(&objects), Some("MLC104"));
    }
}

#[test]
fn a_container_that_ended_well_or_is_running_is_no_cause() {
    for status in [
        json!({}),
        json!({"containerStatuses": [{"name": "server", "state": {"running": {}}}]}),
        json!({"initContainerStatuses": [{"name": "init", "state": {"terminated": {"reason": "Completed", "exitCode": 0}}}]}),
        json!({"containerStatuses": [{"name": "server", "state": {"waiting": {"reason": "ContainerCreating"}}}]}),
        json!({"initContainerStatuses": [{"name": "init", "state": {"waiting": {"reason": "PodInitializing"}}}]}),
        json!({"conditions": [{"type": "PodScheduled", "status": "True", "message": "Insufficient cpu"}]}),
    ] {
        assert_eq!(code(&[ours(status.clone())]), None, "{status}");
    }
}

#[test]
fn an_init_container_counts_too() {
    let status = json!({"initContainerStatuses": [{"name": "migrate", "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "x"}}}]});
    assert_eq!(code(&[ours(status)]), Some("MLC103"));
}

#[test]
fn only_pods_of_the_workload_count() {
    let crash = json!({"containerStatuses": [{"name": "c", "state": {"waiting": {"reason": "CrashLoopBackOff"}}}]});
    for (kind, owner, name, counts) in [
        (WorkloadKind::Deployment, "ReplicaSet", "mlflow-5d9c7b6f4", true),
        (WorkloadKind::Deployment, "ReplicaSet", "mlflow-ui-5d9c7b6f4", false),
        (WorkloadKind::Deployment, "ReplicaSet", "mlflow", false),
        (WorkloadKind::Deployment, "StatefulSet", "mlflow", false),
        (WorkloadKind::StatefulSet, "StatefulSet", "mlflow", true),
        (WorkloadKind::StatefulSet, "StatefulSet", "mlflow-db", false),
        (WorkloadKind::DaemonSet, "DaemonSet", "mlflow", true),
        (WorkloadKind::Job, "Job", "mlflow", true),
        (WorkloadKind::Job, "StatefulSet", "mlflow", false),
        (WorkloadKind::PersistentVolumeClaim, "StatefulSet", "mlflow", false),
    ] {
        let found = find_cause("mlflow", &workload(kind), &[pod(owner, name, crash.clone())]);
        assert_eq!(found.is_some(), counts, "{kind} {owner} {name}");
    }
    let mut elsewhere = ours(crash);
    elsewhere["metadata"]["namespace"] = "default".into();
    assert_eq!(code(&[elsewhere]), None);
}

#[test]
fn only_warnings_about_the_workload_count() {
    let warn = |kind: &str, name: &str| {
        let mut event = event(name, "FailedCreate", "exceeded quota: team");
        event["involvedObject"]["kind"] = kind.into();
        event
    };
    for (kind, name, counts) in [
        ("Deployment", "mlflow", true),
        ("ReplicaSet", "mlflow-5d9c7b6f4", true),
        ("StatefulSet", "mlflow", false),
        ("Deployment", "minio", false),
        ("Deployment", "mlflowx", false),
        ("Deployment", "mlflow-ui", false),
        ("ReplicaSet", "mlflow-ui-5d9c7b6f4", false),
        ("Pod", POD, false),
    ] {
        assert_eq!(code(&[warn(kind, name)]).is_some(), counts, "{kind} {name}");
    }
    assert_eq!(code(&[ours(json!({})), warn("Pod", POD)]), Some("MLC108"), "a pod that is there");
    let mut elsewhere = warn("Deployment", "mlflow");
    elsewhere["involvedObject"]["namespace"] = "mlops-prod".into();
    assert_eq!(code(&[elsewhere]), None);
    let mut normal = warn("Deployment", "mlflow");
    normal["type"] = "Normal".into();
    assert_eq!(code(&[normal]), None);
}

/// Events outlive their pods by an hour; an earlier failure that was mended must not fail this run.
#[test]
fn what_is_told_of_a_pod_that_is_gone_is_no_cause() {
    let (reason, said) = ("FailedMount", "MountVolume.SetUp failed for volume \"x\" : secret \"x\" not found");
    assert_eq!(code(&[event("mlflow-5d9c7b6f4-gone1", reason, said)]), None);
    // The pod of a StatefulSet has the name of the one before it.
    let mut pod = pod("StatefulSet", "mlflow", json!({}));
    pod["metadata"]["uid"] = "new".into();
    for (uid, counts) in [("old", false), ("new", true)] {
        let mut event = event(POD, reason, said);
        event["involvedObject"]["uid"] = uid.into();
        let found = find_cause("mlflow", &workload(WorkloadKind::StatefulSet), &[pod.clone(), event]);
        assert_eq!(found.is_some(), counts, "{uid}");
    }
}

/// What may heal by itself must not end a step after the short grace.
#[test]
fn what_may_heal_is_not_permanent() {
    let healing: Vec<&str> = causes().filter(|kind| !kind.permanent).map(|kind| kind.code).collect();
    let expected =
        ["MLC128", "MLC135", "MLC119", "MLC120", "MLC118", "MLC114", "MLC110", "MLC111", "MLC209", "MLC201", "MLC001"];
    assert_eq!(healing, expected);
}

#[test]
fn the_json_of_a_cause_is_stable() {
    let cause = find(&[waiting("ErrImagePull", "x")]).unwrap();
    let json = serde_json::to_value(&cause).unwrap();
    let keys: Vec<&String> = json.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["code", "title", "evidence", "fix"]);
}

#[test]
fn objects_that_are_not_as_expected_are_no_reason_to_fail() {
    for object in [
        json!(null),
        json!([]),
        json!({"kind": "Pod"}),
        json!({"kind": "Event", "type": "Warning"}),
        json!({"kind": "Pod", "metadata": {"ownerReferences": 5}, "status": []}),
    ] {
        assert_eq!(code(std::slice::from_ref(&object)), None, "{object}");
    }
}

#[test]
fn a_start_is_no_cause_until_it_has_cost_a_restart() {
    let probe = event(POD, "Unhealthy", "Startup probe failed: dial tcp 10.42.0.10:5000: connect: connection refused");
    let started = |restarts: u32| {
        ours(json!({"containerStatuses": [{"name": "server", "restartCount": restarts, "state": {"running": {}}}]}))
    };
    assert_eq!(code(&[started(0), probe.clone()]), None);
    assert_eq!(code(&[started(1), probe]), Some("MLC111"));
}

#[test]
fn a_volume_that_came_late_is_no_cause() {
    let slow = "MountVolume.SetUp failed for volume \"x\" : failed to sync configmap cache: timed out";
    assert_eq!(code(&[waiting("ContainerCreating", ""), event(POD, "FailedMount", slow)]), None);
    // The event stays for an hour, the pod has gone on.
    let missing = event(POD, "FailedMount", "MountVolume.SetUp failed for volume \"x\" : secret \"x\" not found");
    let running = ours(json!({"initContainerStatuses": [{"name": "prepare", "state": {"running": {}}}]}));
    assert_eq!(code(&[running, missing.clone()]), None);
    assert_eq!(code(&[waiting("ContainerCreating", ""), missing]), Some("MLC102"));
}

/// A node that the pod may not go to anyway has no part in it, nor one that is well.
#[test]
fn only_nodes_that_the_pod_asks_for_count() {
    let mut pod = unscheduled(TAINTED);
    assert_eq!(code(&[pod.clone(), node("MemoryPressure", "False")]), Some("MLC107"));
    pod["spec"] = json!({"nodeSelector": {"disk": "ssd"}});
    assert_eq!(code(&[pod.clone(), node("Ready", "False")]), Some("MLC107"));
    let mut wanted = node("Ready", "False");
    wanted["metadata"]["labels"] = json!({"disk": "ssd"});
    let cause = find(&[pod, wanted]).unwrap();
    assert_eq!(cause.code, "MLC119");
    assert_eq!(cause.evidence, "edge-1: NodeNotReady: the node is not ready: Kubelet is told");
}

#[test]
fn finalizers_of_the_control_plane_are_no_cause() {
    assert_eq!(code(&[leaving(&[])]), None);
    assert_eq!(code(&[leaving(&["foregroundDeletion", "batch.kubernetes.io/job-tracking"])]), None);
}

/// Between two ends a crash loop looks like a start.
#[test]
fn a_container_that_ended_twice_is_in_a_crash_loop_while_it_runs() {
    for (restarts, ready, exit, expected) in
        [(2, false, 1, Some("MLC103")), (1, false, 1, None), (5, true, 1, None), (2, false, 0, None)]
    {
        let pod = ours(json!({"containerStatuses": [{
            "name": "server", "ready": ready, "restartCount": restarts, "state": {"running": {}},
            "lastState": {"terminated": {"reason": "Error", "exitCode": exit}},
        }]}));
        assert_eq!(code(&[pod]), expected, "{restarts} {ready} {exit}");
    }
    let ended = ours(json!({"containerStatuses": [{
        "name": "server", "ready": false, "restartCount": 1, "state": {"terminated": {"reason": "Error", "exitCode": 1}},
    }]}));
    assert_eq!(code(&[ended]), Some("MLC103"));
}
