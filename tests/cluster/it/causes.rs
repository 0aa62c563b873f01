//! A release that does not become ready: its cause, what is skipped, and that the next run heals it.

use serde_json::Value;

use crate::cluster::kubectl;
use crate::stack::{Ended, Stack, WITH_MLFLOW, assert_only};

fn up(stack: &Stack) -> Ended {
    stack.run(&["up", "--yes", "--output", "json", "--grace", "2"])
}

#[track_caller]
fn assert_cause(ended: &Ended, release: &str, code: &str) -> Value {
    let cause = ended.cause(release);
    assert_eq!(cause["code"], code, "{ended}");
    for part in ["title", "evidence", "fix"] {
        assert!(cause[part].as_str().is_some_and(|text| !text.is_empty()), "{cause}");
    }
    assert!(ended.stderr.contains(code), "{ended}");
    cause
}

fn with_fate(release: &str, fate: &str) -> String {
    format!("{WITH_MLFLOW}values: {{{release}: {{podAnnotations: {{simulate.mlopsctl.dev/pod: {fate}}}}}}}\n")
}

/// A StatefulSet does not replace a pod that never got ready: the fault of its first revision is the hard one.
#[test]
fn a_first_install_that_fails_names_its_cause_and_heals() {
    let stack = Stack::new("cause-first", &with_fate("minio", "image"));
    let ended = up(&stack).code(1);
    assert_cause(&ended, "minio", "MLC101");
    assert_eq!(ended.actions()["pg"], "installed");
    assert_eq!(ended.actions()["mlflow"], "skipped");
    let skipped = ended.cause("mlflow");
    assert_eq!(skipped["code"], "MLC004");
    assert!(skipped["evidence"].as_str().unwrap().contains("minio"), "{skipped}");
    assert!(ended.json()["ok"] == false && ended.json()["seconds"].as_f64().unwrap() < 60.0, "{ended}");

    stack.configure(WITH_MLFLOW);
    let ended = up(&stack).code(0);
    assert_eq!(ended.actions()["mlflow"], "installed");
    assert_eq!(ended.actions()["pg"], "unchanged");
    stack.up_is_unchanged();
}

#[test]
fn each_fault_has_its_code() {
    let stack = Stack::new("cause-codes", &with_fate("mlflow", "config"));
    assert_cause(&up(&stack).code(1), "mlflow", "MLC102");
    for (fate, code) in [("crash", "MLC103"), ("image", "MLC101")] {
        stack.configure(&with_fate("mlflow", fate));
        assert_cause(&up(&stack).code(1), "mlflow", code);
    }
    stack.configure(&format!("{WITH_MLFLOW}values: {{mlflow: {{resources: {{requests: {{cpu: \"1000\"}}}}}}}}\n"));
    assert_cause(&up(&stack).code(1), "mlflow", "MLC105");
    stack.run(&["status", "--output", "json"]).code(4);
    stack.configure(WITH_MLFLOW);
    let mut actions = up(&stack).code(0).actions();
    assert!(actions.remove("mlflow").is_some());
    assert_only(&actions, "unchanged", &[]);
    stack.up_is_unchanged();

    let quota = ["create", "quota", "none", "--hard=pods=0", "--namespace", &stack.system()];
    kubectl(quota);
    kubectl(["delete", "deployment/mlflow", "--namespace", &stack.system()]);
    assert_cause(&up(&stack).code(1), "mlflow", "MLC108");
    kubectl(["delete", "quota/none", "--namespace", &stack.system()]);
    up(&stack).code(0);
    stack.up_is_unchanged();
}
