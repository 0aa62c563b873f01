//! Live objects against what helm made of them.

use mlopsctl::plan::{Drift, drift, is_within};
use serde_json::{Value, json};

/// A live Deployment of two containers, with what the API server adds.
fn live() -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {
            "name": "mlflow", "uid": "1", "resourceVersion": "7", "generation": 2, "creationTimestamp": "2026-01-01T00:00:00Z",
            "labels": {"app": "mlflow"},
            "managedFields": [
                {"manager": "helm", "operation": "Apply", "time": "2026-01-01T00:00:00Z",
                 "fieldsV1": {"f:spec": {"f:template": {"f:spec": {"f:containers": {"k:{\"name\":\"server\"}": {".": {}, "f:image": {}}}}}}}},
                {"manager": "kubectl", "operation": "Update", "subresource": "scale", "time": "2026-01-02T00:00:00Z",
                 "fieldsV1": {"f:spec": {"f:replicas": {}}}},
                {"manager": "kubectl-edit", "operation": "Update", "time": "2026-01-03T00:00:00Z",
                 "fieldsV1": {"f:spec": {"f:template": {"f:spec": {"f:containers": {"k:{\"name\":\"server\"}": {"f:args": {}}}}}}}},
            ],
        },
        "spec": {"replicas": 1, "template": {"spec": {"containers": [
            {"name": "proxy", "image": "proxy:1"},
            {"name": "server", "image": "mlflow:3", "args": ["a"], "resources": {"limits": {"cpu": "1"}}},
        ]}}},
        "status": {"replicas": 1},
    })
}

/// What the API server makes of the same manifest: other marks of its own, no other field.
fn result() -> Value {
    let mut result = live();
    result["metadata"]["generation"] = json!(3);
    result["metadata"]["managedFields"] = json!([]);
    result.as_object_mut().unwrap().remove("status");
    result
}

fn found(live: &Value, result: &Value) -> Vec<(String, Value, Value, Option<String>)> {
    let whole = |it: Drift| (it.path, it.live, it.wanted, it.manager);
    drift(live, result, Some(result), result).into_iter().map(whole).collect()
}

#[test]
fn what_only_the_api_server_writes_is_no_drift() {
    assert_eq!(found(&live(), &result()), []);
}

#[test]
fn a_field_is_named_by_its_path_and_the_manager_that_set_it() {
    let mut live = live();
    live["spec"]["replicas"] = json!(3);
    live["spec"]["template"]["spec"]["containers"][1]["args"] = json!(["a", "b"]);
    let manager = |name: &str| Some(name.to_owned());
    assert_eq!(
        found(&live, &result()),
        [
            ("spec.replicas".to_owned(), json!(3), json!(1), manager("kubectl")),
            (
                "spec.template.spec.containers[name=server].args".to_owned(),
                json!(["a", "b"]),
                json!(["a"]),
                manager("kubectl-edit")
            ),
        ]
    );
}

#[test]
fn items_of_a_list_are_told_by_their_names_not_by_their_places() {
    let mut live = live();
    let containers = live["spec"]["template"]["spec"]["containers"].as_array_mut().unwrap();
    containers.swap(0, 1);
    containers.push(json!({"name": "added", "image": "x"}));
    let found = found(&live, &result());
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].0, "spec.template.spec.containers[name=added]");
    assert_eq!((&found[0].1["image"], &found[0].2), (&json!("x"), &Value::Null));
}

#[test]
fn what_the_new_manifest_changes_is_no_drift() {
    let (old, mut wanted) = (result(), result());
    wanted["spec"]["template"]["spec"]["containers"][1]["image"] = json!("mlflow:4");
    wanted["metadata"]["labels"] = json!({"app": "mlflow", "team.example.com/name": "vision"});
    let mut live = live();
    live["spec"]["replicas"] = json!(3);
    let paths: Vec<String> = drift(&live, &wanted, Some(&old), &wanted).into_iter().map(|it| it.path).collect();
    assert_eq!(paths, ["spec.replicas"]);
    // An object that is not in the last manifest has no intention to hold it against.
    let paths: Vec<String> = drift(&live, &wanted, None, &wanted).into_iter().map(|it| it.path).collect();
    assert_eq!(paths.len(), 3, "{paths:?}");
    assert!(paths.contains(&"metadata.labels[team.example.com/name]".to_owned()), "{paths:?}");
}

#[test]
fn the_content_of_a_secret_is_hidden_and_its_keys_are_not() {
    let secret = |data: Value| json!({"kind": "Secret", "metadata": {"name": "s"}, "data": data});
    let (live, wanted) = (secret(json!({"k": "Q2FuYXJ5", "l": "Q2FuYXJ5"})), secret(json!({"k": "Q2FuYXJ6"})));
    let found = drift(&live, &wanted, None, &wanted);
    let text = format!("{found:?}");
    assert!(!text.contains("Q2Fu") && text.contains("data.k") && text.contains("data.l"), "{text}");
}

#[test]
fn what_is_there_already_is_told_from_what_is_not() {
    let live = json!({"spec": {"replicas": 1, "type": "ClusterIP", "ports": [{"port": 80, "protocol": "TCP"}]}});
    for within in [
        json!({}),
        json!({"spec": {"replicas": 1, "ports": [{"port": 80}]}}),
        json!({"metadata": {}, "spec": {"selector": null, "externalIPs": []}}),
    ] {
        assert!(is_within(&within, &live), "{within}");
    }
    for beyond in [
        json!({"spec": {"replicas": 2}}),
        json!({"spec": {"ports": []}}),
        json!({"spec": {"ports": [{"port": 80}, {"port": 81}]}}),
        json!({"metadata": {"name": "x"}}),
        json!({"spec": {"replicas": "1"}}),
    ] {
        assert!(!is_within(&beyond, &live), "{beyond}");
    }
}
