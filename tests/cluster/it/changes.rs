//! A change reaches the releases that it concerns, and no other.

use crate::cluster::{kubectl, objects};
use crate::stack::{Stack, WITH_MLFLOW, assert_only};

#[test]
fn a_changed_value_upgrades_its_release_only() {
    let stack = Stack::new("value", WITH_MLFLOW);
    assert_only(&stack.up(), "installed", &["minio", "mlflow", "pg"]);
    stack.configure(&format!("{WITH_MLFLOW}values: {{minio: {{podLabels: {{team: vision}}}}}}\n"));
    assert_only(&stack.up(), "upgraded", &["minio"]);
    let pod = objects(["statefulset/minio", "--namespace", &stack.system()]);
    assert_eq!(pod[0]["spec"]["template"]["metadata"]["labels"]["team"], "vision");
    stack.up_is_unchanged();

    stack.configure(
        "monitoring: {enabled: false}\nlogging: {enabled: false}\nworkflows: {enabled: false}\nmlflow: {workers: 2}\n",
    );
    assert_only(&stack.up(), "upgraded", &["minio", "mlflow"]);
    stack.up_is_unchanged();
}

#[test]
fn a_new_secret_upgrades_those_who_read_it() {
    let stack = Stack::new("generation", WITH_MLFLOW);
    stack.up();
    let before = stack.secrets();
    kubectl(["delete", "secret/mlflow-s3", "--namespace", &stack.system()]);
    assert_only(&stack.up(), "upgraded", &["minio", "mlflow"]);
    stack.up_is_unchanged();
    let changed: Vec<_> = stack
        .secrets()
        .into_iter()
        .filter(|(name, data)| before.get(name) != Some(data))
        .map(|(name, _)| name)
        .collect();
    assert_eq!(changed, [(stack.system(), "mlflow-s3".to_owned())]);
}

#[test]
fn a_size_that_cannot_change_fails_with_the_reason_and_heals() {
    let stack = Stack::new("size", WITH_MLFLOW);
    stack.up();
    stack.configure(&format!("{WITH_MLFLOW}objectStore: {{size: 20Gi}}\n"));
    let ended = stack.run(&["up", "--yes", "--output", "json"]).code(1);
    assert_eq!(ended.actions()["minio"], "failed");
    let cause = ended.cause("minio");
    assert_eq!(cause["code"], "MLC139", "{cause}");
    assert!(cause["evidence"].as_str().unwrap().contains("10Gi → 20Gi"), "{cause}");
    stack.configure(WITH_MLFLOW);
    stack.up_is_unchanged();
}
