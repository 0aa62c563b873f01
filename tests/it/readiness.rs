//! When a workload is ready, over status objects made by hand.

use mlopsctl::cluster::{Readiness, readiness};
use mlopsctl::render::{Workload, WorkloadKind, documents};
use serde_json::{Value, json};

/// What is found: `ready`, `waiting: why` or `failed: why`.
fn judge(kind: &str, spec: &Value, status: &Value) -> String {
    let object = json!({"kind": kind, "metadata": {"generation": 2}, "spec": spec, "status": status});
    match readiness(&object) {
        Readiness::Ready => "ready".into(),
        Readiness::Waiting(why) => format!("waiting: {why}"),
        Readiness::Failed(why) => format!("failed: {why}"),
    }
}

fn check(kind: &str, table: &[(Value, Value, &str)]) {
    for (spec, status, expected) in table {
        assert_eq!(judge(kind, spec, status), *expected, "{kind} {spec} {status}");
    }
}

const UNSEEN: &str = "waiting: the controller has not seen it yet";

#[test]
fn a_deployment_is_ready_when_all_new_pods_are_available_and_no_old_one_is_left() {
    let status = |observed: u64, replicas: u64, updated: u64, available: u64| json!({"observedGeneration": observed, "replicas": replicas, "updatedReplicas": updated, "availableReplicas": available});
    check(
        "Deployment",
        &[
            (json!({"replicas": 2}), status(2, 2, 2, 2), "ready"),
            (json!({}), status(2, 1, 1, 1), "ready"),
            (json!({"replicas": 0}), json!({"observedGeneration": 2}), "ready"),
            (json!({"replicas": 2}), json!({}), UNSEEN),
            (json!({"replicas": 2}), status(1, 2, 2, 2), UNSEEN),
            (json!({"replicas": 2}), status(2, 2, 1, 2), "waiting: 1 of 2 pods updated"),
            (json!({"replicas": 2}), status(2, 3, 2, 2), "waiting: old pods are still there"),
            (json!({"replicas": 2}), status(2, 2, 2, 1), "waiting: 1 of 2 pods ready"),
            (json!({}), json!({"observedGeneration": 2}), "waiting: 0 of 1 pods updated"),
            (
                json!({}),
                json!({"observedGeneration": 2, "updatedReplicas": 1, "conditions": [{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}]}),
                "waiting: no progress within its deadline",
            ),
        ],
    );
}

#[test]
fn a_stateful_set_is_ready_when_all_pods_are_of_the_new_revision() {
    let status = |ready: u64, current: &str, update: &str| json!({"observedGeneration": 2, "readyReplicas": ready, "currentRevision": current, "updateRevision": update});
    let on_delete = json!({"replicas": 1, "updateStrategy": {"type": "OnDelete"}});
    check(
        "StatefulSet",
        &[
            (json!({"replicas": 3}), status(3, "a", "a"), "ready"),
            (json!({"replicas": 0}), status(0, "a", "b"), "ready"),
            (on_delete, status(1, "a", "b"), "ready"),
            (json!({"replicas": 3}), json!({"readyReplicas": 3}), UNSEEN),
            (json!({"replicas": 3}), status(2, "a", "a"), "waiting: 2 of 3 pods ready"),
            (json!({"replicas": 3}), status(3, "a", "b"), "waiting: pods of the old revision are still there"),
        ],
    );
}

#[test]
fn a_daemon_set_is_ready_when_every_node_has_its_new_pod() {
    let status = |wanted: u64, updated: u64, available: u64| json!({"observedGeneration": 2, "desiredNumberScheduled": wanted, "updatedNumberScheduled": updated, "numberAvailable": available});
    check(
        "DaemonSet",
        &[
            (json!({}), status(3, 3, 3), "ready"),
            (json!({}), status(0, 0, 0), "ready"),
            (json!({}), json!({}), UNSEEN),
            (json!({}), status(3, 2, 3), "waiting: 2 of 3 pods updated"),
            (json!({}), status(3, 3, 2), "waiting: 2 of 3 pods ready"),
        ],
    );
}

#[test]
fn a_job_is_ready_when_it_is_complete() {
    let condition = |kind: &str, status: &str| json!({"conditions": [{"type": kind, "status": status, "message": "Job has reached the specified backoff limit"}]});
    check(
        "Job",
        &[
            (json!({}), condition("Complete", "True"), "ready"),
            (json!({}), condition("Complete", "False"), "waiting: the Job is running"),
            (json!({}), json!({"active": 1}), "waiting: the Job is running"),
            (json!({}), json!({}), "waiting: the Job is running"),
            (json!({}), condition("FailureTarget", "True"), "waiting: the Job is running"),
            (json!({}), condition("Failed", "True"), "failed: Job has reached the specified backoff limit"),
            (json!({}), json!({"conditions": [{"type": "Failed", "status": "True"}]}), "failed: the Job failed"),
        ],
    );
}

#[test]
fn a_claim_is_ready_when_it_is_bound() {
    check(
        "PersistentVolumeClaim",
        &[
            (json!({}), json!({"phase": "Bound"}), "ready"),
            (json!({}), json!({"phase": "Pending"}), "waiting: no volume is bound"),
            (json!({}), json!({}), "waiting: no volume is bound"),
            (json!({}), json!({"phase": "Lost"}), "failed: its volume is gone"),
        ],
    );
}

#[test]
fn the_workloads_of_a_manifest_are_those_that_become_ready() {
    let manifest = "---
# Source: x/templates/service.yaml
apiVersion: v1
kind: Service
metadata: {name: web}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db, namespace: other}
---
# only a comment
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  annotations:
    text: |
      a line
      --- no separator
---
apiVersion: batch/v1
kind: Job
metadata: {generateName: x-}
";
    let workloads = Workload::of_manifest(&documents(manifest).unwrap(), "mlops-system");
    let expected = [
        Workload { kind: WorkloadKind::Deployment, namespace: "mlops-system".into(), name: "web".into() },
        Workload { kind: WorkloadKind::StatefulSet, namespace: "other".into(), name: "db".into() },
    ];
    assert_eq!(workloads, expected);
}

#[test]
fn a_manifest_that_is_not_yaml_is_an_error() {
    let error = documents("kind: [x\n").unwrap_err().to_string();
    assert!(error.starts_with("the manifest is not YAML: "), "{error}");
    assert!(documents("").unwrap().is_empty());
    assert!(documents("---\n# nothing\n---\n\n").unwrap().is_empty());
}

/// A file mode is octal, as for helm and kubectl.
#[test]
fn numbers_of_a_manifest_are_what_helm_takes_them_for() {
    let read = &documents("mode: 0440\nother: 0o440\nport: 80\nquoted: \"0440\"\n").unwrap()[0];
    assert_eq!(*read, serde_json::json!({"mode": 288, "other": 288, "port": 80, "quoted": "0440"}));
}
