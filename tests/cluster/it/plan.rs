//! `plan` and `status`: they look, and touch nothing.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::cluster::{kubectl, objects};
use crate::stack::{SMALL, Stack, WITH_MLFLOW, assert_only};

/// Returns the version of every object in the namespaces of a stack, and of the namespaces.
fn versions(stack: &Stack) -> BTreeMap<String, Value> {
    let kinds = "all,secrets,configmaps,leases,serviceaccounts,persistentvolumeclaims";
    let all = stack.namespaces().into_iter().flat_map(|namespace| {
        let itself = objects([&format!("namespace/{namespace}")[..]]);
        itself.into_iter().chain(objects([kinds, "--namespace", &namespace])).collect::<Vec<_>>()
    });
    let key =
        |object: &Value| format!("{}/{} {}", object["kind"], object["metadata"]["name"], object["metadata"]["uid"]);
    all.map(|object| (key(&object), object["metadata"]["resourceVersion"].clone())).collect()
}

fn actions(report: &Value) -> BTreeMap<&str, &str> {
    let releases = report["releases"].as_array().unwrap().iter();
    releases.map(|release| (release["release"].as_str().unwrap(), release["action"].as_str().unwrap())).collect()
}

#[test]
fn plan_tells_what_up_does_and_changes_nothing() {
    let stack = Stack::new("plan", WITH_MLFLOW);
    let empty = versions(&stack);
    let report = stack.run(&["plan", "--output", "json", "--exit-code"]).code(5).json();
    assert_eq!(actions(&report), [("minio", "install"), ("mlflow", "install"), ("pg", "install")].into());
    assert!(
        report["releases"].as_array().unwrap().iter().all(|it| !it["objects"].as_array().unwrap().is_empty()),
        "{report}"
    );
    assert_eq!(report["namespaces"].as_array().unwrap().len(), 3, "{report}");
    stack.run(&["plan"]).code(0);
    assert_eq!(versions(&stack), empty);

    stack.up();
    let before = versions(&stack);
    let report = stack.run(&["plan", "--output", "json", "--exit-code"]).code(0).json();
    assert_eq!(
        (&report["changes"], actions(&report).values().all(|it| *it == "unchanged")),
        (&false.into(), true),
        "{report}"
    );

    stack.configure(&format!("{WITH_MLFLOW}values: {{minio: {{podLabels: {{team: vision}}}}}}\n"));
    let report = stack.run(&["plan", "--output", "json", "--exit-code"]).code(5).json();
    assert_eq!(actions(&report), [("minio", "upgrade"), ("mlflow", "unchanged"), ("pg", "unchanged")].into());
    let minio = report["releases"].as_array().unwrap().iter().find(|it| it["release"] == "minio").unwrap();
    let object = minio["objects"].as_array().unwrap().iter().find(|it| it["object"]["kind"] == "StatefulSet").unwrap();
    assert_eq!((&object["object"]["apiVersion"], &object["change"]), (&"apps/v1".into(), &"update".into()), "{minio}");
    assert!(object["diff"].as_str().unwrap().contains("+        team: vision"), "{minio}");
    assert_eq!(versions(&stack), before);

    stack.run(&["upgrade", "--output", "json"]).code(2).says("--yes");
    assert_eq!(versions(&stack), before);
    let upgraded = stack.run(&["upgrade", "--yes", "--output", "ndjson"]).code(0);
    assert!(
        upgraded.json_lines().iter().any(|event| event["event"] == "finished" && event["action"] == "upgraded"),
        "{upgraded}"
    );
    stack.up_is_unchanged();
}

#[test]
fn status_tells_healthy_from_degraded() {
    let stack = Stack::new("status", SMALL);
    let report = stack.run(&["status", "--output", "json"]).code(4).json();
    assert_eq!(report["releases"][0]["status"], "absent", "{report}");
    stack.up();
    let report = stack.run(&["status", "--output", "json"]).code(0).json();
    assert_eq!(report["healthy"], true, "{report}");
    stack.run(&["status"]).code(0);

    kubectl(["delete", "statefulset/minio", "--namespace", &stack.system()]);
    let report = stack.run(&["status", "--output", "json"]).code(4).json();
    let minio = report["releases"].as_array().unwrap().iter().find(|it| it["release"] == "minio").unwrap();
    assert!(minio["waiting"][0].as_str().unwrap().contains("gone"), "{report}");

    stack.configure(WITH_MLFLOW);
    let report = stack.run(&["status", "--output", "json"]).code(4).json();
    let mlflow = report["releases"].as_array().unwrap().iter().find(|it| it["release"] == "mlflow").unwrap();
    assert_eq!((&mlflow["status"], &mlflow["revision"]), (&"absent".into(), &Value::Null), "{report}");
    stack.configure(SMALL);
    assert_only(&stack.up(), "repaired", &["minio"]);
    stack.run(&["status"]).code(0);
}
