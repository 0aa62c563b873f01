//! What another hand changed, `up` makes good; the rest it leaves alone.

use std::path::Path;

use crate::cluster::{PROJECT, helm, kubectl, objects};
use crate::stack::{Stack, WITH_MLFLOW, assert_only};

#[test]
fn what_another_hand_did_is_repaired_and_nothing_else() {
    let stack = Stack::new("repair", WITH_MLFLOW);
    stack.up();
    let system = stack.system();
    let chart = Path::new(PROJECT).join("charts/minio");

    helm(["upgrade", "minio", chart.to_str().unwrap(), "-n", &system, "--reuse-values", "--set", "podLabels.by=hand"]);
    assert_only(&stack.up(), "repaired", &["minio"]);
    let minio = objects(["statefulset/minio", "--namespace", &system]);
    assert!(minio[0]["spec"]["template"]["metadata"]["labels"]["by"].is_null(), "{}", minio[0]);
    stack.up_is_unchanged();

    helm(["rollback", "minio", "1", "-n", &system]);
    assert_only(&stack.up(), "repaired", &["minio"]);
    stack.up_is_unchanged();

    kubectl(["delete", "deployment/mlflow", "--namespace", &system]);
    assert_only(&stack.up(), "repaired", &["mlflow"]);
    assert_eq!(objects(["deployment/mlflow", "--namespace", &system])[0]["status"]["readyReplicas"], 1);
    stack.up_is_unchanged();

    let before = stack.secrets();
    kubectl(["delete", "secret/argo-s3", "--namespace", &stack.dev()]);
    assert_only(&stack.up(), "unchanged", &[]);
    assert_eq!(stack.secrets(), before);
    stack.up_is_unchanged();

    helm(["uninstall", "mlflow", "-n", &system]);
    assert_only(&stack.up(), "installed", &["mlflow"]);
    stack.up_is_unchanged();
}

#[test]
fn a_lost_record_costs_no_upgrade() {
    let stack = Stack::new("record", WITH_MLFLOW);
    stack.up();
    kubectl(["delete", "configmap/mlopsctl-stack", "--namespace", &stack.system()]);
    stack.up_is_unchanged();
    kubectl(["delete", "service/mlflow", "deployment/mlflow", "--namespace", &stack.system()]);
    assert_only(&stack.up(), "repaired", &["mlflow"]);
    stack.up_is_unchanged();
}
