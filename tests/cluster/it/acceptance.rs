//! The whole stack: up, unchanged, down, up again over kept volumes, purge.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::cluster::{kubectl, objects};
use crate::secrecy::assert_no_secret_leaks;
use crate::stack::{Ended, Stack, assert_only, cluster_objects, objects_in};

/// All releases of the defaults.
pub(crate) const ALL: [&str; 7] = ["alloy", "argo", "loki", "minio", "mlflow", "monitoring", "pg"];

#[test]
fn the_whole_stack_goes_up_changes_and_goes_without_a_trace() {
    let mut stack = Stack::with_crds("whole", "");
    starts_are_parallel_where_needs_allow(&stack.run(&["up", "--yes", "--output", "ndjson"]).code(0));
    stack.assert_deployed(&ALL);
    everything_is_ready(&stack);
    stack.up_is_unchanged();

    kubectl(["delete", "crd/workflowtemplates.argoproj.io"]);
    assert_only(&stack.up(), "unchanged", &[]);
    assert_eq!(objects(["crd/workflowtemplates.argoproj.io"]).len(), 1);
    stack.up_is_unchanged();

    stack.configure("logging: {enabled: false}\n");
    stack.run(&["up", "--output", "json"]).code(2).says("Remove").says("alloy").says("--yes");
    let mut actions = stack.up();
    // Its data source is gone.
    assert_eq!(actions.remove("monitoring").unwrap(), "upgraded");
    assert_only(&actions, "removed", &["alloy", "loki"]);
    stack.configure("");
    let mut actions = stack.up();
    assert_eq!(actions.remove("monitoring").unwrap(), "upgraded");
    assert_only(&actions, "installed", &["alloy", "loki"]);
    assert_no_secret_leaks(&stack);

    let secrets = stack.secrets();
    down_leaves_what_it_says(&stack, &stack.run(&["down", "--yes", "--output", "json"]).code(0));
    assert_only(&stack.up(), "installed", &ALL);
    assert_eq!(stack.secrets(), secrets);

    stack.purge().code(0);
    assert_eq!(cluster_objects(&stack), [""; 0]);
}

/// Checks the order of the events of a first `up`.
fn starts_are_parallel_where_needs_allow(ended: &Ended) {
    let events = ended.json_lines();
    let (report, events) = events.split_last().unwrap();
    let steps = report["steps"].as_array().unwrap();
    let names: BTreeSet<&str> = steps.iter().map(|step| step["release"].as_str().unwrap()).collect();
    assert_eq!(names, ALL.into_iter().collect());
    for step in steps {
        assert_eq!((&step["action"], &step["cause"]), (&"installed".into(), &Value::Null), "{step}");
        assert!(step["seconds"].as_f64().unwrap() > 0.0, "{step}");
    }
    let position = |kind: &str, release: &str| {
        let found = events.iter().position(|event| event["event"] == kind && event["release"] == release);
        found.unwrap_or_else(|| panic!("{release} never {kind}: {ended}"))
    };
    let first_end = events.iter().position(|event| event["event"] == "finished").unwrap();
    for release in ["monitoring", "pg", "minio"] {
        assert!(position("started", release) < first_end, "{release} waits without a need: {ended}");
    }
    for need in ["pg", "minio"] {
        assert!(position("finished", need) < position("started", "mlflow"), "mlflow does not wait for {need}: {ended}");
    }
}

/// Asserts it from the objects themselves, and that `status` says the same.
pub(crate) fn everything_is_ready(stack: &Stack) {
    let found = objects(["deployments,statefulsets,daemonsets,jobs", "--namespace", &stack.system()]);
    assert!(found.len() >= 10, "{found:?}");
    for object in &found {
        let (spec, status) = (&object["spec"], &object["status"]);
        let ready = match object["kind"].as_str().unwrap() {
            "DaemonSet" => status["numberReady"] == status["desiredNumberScheduled"] && status["numberReady"] != 0,
            "Job" => status["succeeded"] == 1,
            _ => status["readyReplicas"] == spec["replicas"],
        };
        assert!(ready, "{object}");
    }
    let report = stack.run(&["status", "--output", "json"]).code(0).json();
    assert_eq!(report["healthy"], true);
}

/// Compares all that is left in the cluster with what `down` says it kept.
fn down_leaves_what_it_says(stack: &Stack, ended: &Ended) {
    let report = ended.json();
    let mut said = BTreeSet::new();
    for kept in report["kept"].as_array().unwrap() {
        let text = |key: &str| kept[key].as_str().unwrap().to_owned();
        assert!(!text("reason").is_empty());
        said.insert(format!("{} {}/{}", text("namespace"), text("kind"), text("name")).to_lowercase());
    }
    let mut left: BTreeSet<String> =
        cluster_objects(stack).into_iter().map(|name| format!(" {name}").to_lowercase()).collect();
    for namespace in stack.namespaces() {
        // Our own Lease is what the next run waits on.
        let found = objects_in(&namespace).into_iter().filter(|name| name != "lease.coordination.k8s.io/mlopsctl");
        left.extend(found.map(|name| format!("{namespace} {name}")));
    }
    assert_eq!(left, said);
    let volumes = said.iter().filter(|name| name.contains("persistentvolumeclaim/")).count();
    assert!(volumes >= 2, "{said:?}");
    assert_eq!(stack.helm_list().len(), 0);
}
