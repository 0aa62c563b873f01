//! `plan` and `status`: they look, and touch nothing.

use std::collections::BTreeMap;

use serde_json::{Value, json};

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

/// Returns what the plan says of one release.
fn release<'a>(report: &'a Value, name: &str) -> &'a Value {
    report["releases"].as_array().unwrap().iter().find(|it| it["release"] == name).unwrap()
}

#[test]
fn plan_shows_what_another_hand_changed_and_what_the_api_server_would_refuse() {
    let stack = Stack::new("drift", WITH_MLFLOW);
    let system = stack.system();
    stack.up();
    let report = stack.run(&["plan", "--output", "json"]).code(0).json();
    assert!(report["releases"].as_array().unwrap().iter().all(|it| it["drift"] == json!([])), "{report}");

    kubectl(["scale", "deployment/mlflow", "--replicas=2", "--namespace", &system]);
    kubectl(["delete", "service/mlflow", "--namespace", &system]);
    let before = versions(&stack);
    let plan = stack.run(&["plan", "--output", "json", "--exit-code"]).code(0);
    let drift = release(&plan.json(), "mlflow")["drift"].clone();
    let of = |kind: &str| drift.as_array().unwrap().iter().find(|it| it["object"]["kind"] == kind).cloned().unwrap();
    let replicas = of("Deployment");
    let found = (&replicas["path"], &replicas["live"], &replicas["wanted"], &replicas["manager"]);
    assert_eq!(found, (&json!("spec.replicas"), &json!(2), &json!(1), &json!("kubectl")), "{plan}");
    assert_eq!(of("Service")["path"], "", "{plan}");
    assert_eq!(drift.as_array().unwrap().len(), 2, "{plan}");
    let text = stack.run(&["plan"]).code(0).stdout;
    assert!(text.contains("* Deployment/mlflow in ") && text.contains("spec.replicas is 2, not 1 (set by kubectl)"));

    // A release that changes meets the other manager.
    stack.configure(&format!("{WITH_MLFLOW}values: {{mlflow: {{podLabels: {{team: vision}}}}}}\n"));
    let plan = stack.run(&["plan", "--output", "json", "--exit-code"]).code(3).says("would refuse 1 object");
    let refusals = release(&plan.json(), "mlflow")["refusals"].clone();
    assert_eq!(refusals[0]["cause"]["code"], "MLC124", "{plan}");
    assert!(refusals[0]["cause"]["evidence"].as_str().unwrap().contains(".spec.replicas"), "{plan}");
    stack.run(&["upgrade", "--yes"]).code(3).says("MLC124").says(".spec.replicas");
    assert_eq!(versions(&stack), before, "looking changes nothing");
}

#[test]
fn a_volume_that_cannot_grow_is_told_before_anything_is_touched() {
    let stack = Stack::new("grow", SMALL);
    stack.up();
    let before = versions(&stack);
    stack.configure(&format!("{SMALL}objectStore: {{size: 77Gi}}\ndatabase: {{size: 5Gi}}\n"));
    let plan = stack.run(&["plan"]).code(3).says("would refuse 1 object");
    let expected = "! StatefulSet/minio in ";
    assert!(
        plan.stdout.contains(expected) && plan.stdout.contains("MLC139") && plan.stdout.contains("→ 77Gi"),
        "{plan}"
    );
    let ended = stack.run(&["up", "--yes", "--output", "json"]).code(1);
    let cause = ended.cause("minio");
    assert_eq!(cause["code"], "MLC139", "{ended}");
    assert!(cause["fix"].as_str().unwrap().contains("delete statefulset"), "{ended}");
    // helm has not begun: the release is still the one that works.
    stack.assert_deployed(&["minio", "pg"]);
    let unlike = |kind: &str| -> Vec<_> {
        let all = versions(&stack);
        all.into_iter().filter(|(name, version)| name.starts_with(kind) && before.get(name) != Some(version)).collect()
    };
    assert_eq!(unlike("\"StatefulSet\""), []);
    assert_eq!(unlike("\"Secret\""), [], "no revision was made");
    stack.configure(SMALL);
    stack.up_is_unchanged();
}

#[test]
fn an_object_of_somebody_else_is_told_before_anything_is_touched() {
    let stack = Stack::new("taken", SMALL);
    let system = stack.system();
    kubectl(["create", "namespace", &system]);
    kubectl(["create", "service", "clusterip", "minio", "--tcp=9000", "--namespace", &system]);
    let plan = stack.run(&["plan", "--output", "json"]).code(3);
    let refusals = release(&plan.json(), "minio")["refusals"].clone();
    assert_eq!(
        (&refusals[0]["object"]["kind"], &refusals[0]["cause"]["code"]),
        (&json!("Service"), &json!("MLC113")),
        "{plan}"
    );
    assert_eq!(release(&plan.json(), "pg")["refusals"], json!([]), "{plan}");
    kubectl(["delete", "service/minio", "--namespace", &system]);
    stack.run(&["plan"]).code(0);
    kubectl(["delete", "namespace", &system]);
}
