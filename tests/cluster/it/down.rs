//! What `down` takes away, and what it must not.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::cluster::{kubectl, kubectl_with, objects};
use crate::stack::{SMALL, Stack, assert_only, objects_in};

#[test]
fn what_is_not_ours_stays_and_is_named() {
    let mut stack = Stack::new("keep", SMALL);
    let (system, dev) = (stack.system(), stack.dev());
    kubectl(["create", "namespace", &dev]);
    stack.up();
    kubectl(["create", "configmap", "notes", "--from-literal=a=b", "--namespace", &system]);
    kubectl(["create", "secret", "generic", "theirs", "--from-literal=a=b", "--namespace", &dev]);

    let report = stack.purge().code(0).json();
    let reason = |name: &str| {
        let kept =
            report["kept"].as_array().unwrap().iter().find(|kept| kept["kind"] == "Namespace" && kept["name"] == name);
        kept.unwrap_or_else(|| panic!("{name} is not named: {report}"))["reason"].as_str().unwrap().to_owned()
    };
    assert!(reason(&system).contains("configmap/notes"), "{report}");
    assert!(reason(&dev).contains("before"), "{report}");
    assert_eq!(report["kept"].as_array().unwrap().len(), 2, "{report}");
    assert_eq!(objects_in(&dev), ["secret/theirs"]);
    let left: Vec<_> = objects_in(&system).into_iter().filter(|name| !name.starts_with("lease")).collect();
    assert_eq!(left, ["configmap/notes"]);
    // Nothing of us holds it back any more: another stack may use it.
    let labels = &objects([&format!("namespace/{dev}")[..]])[0]["metadata"]["labels"];
    assert!(labels["mlopsctl.dev/stack"].is_null(), "{labels}");
    assert_eq!(
        objects(["namespaces"])
            .iter()
            .filter(|it| it["metadata"]["name"].as_str().unwrap().starts_with(&stack.id))
            .count(),
        2
    );

    kubectl(["delete", "configmap/notes", "--namespace", &system]);
    stack.purge().code(0);
    assert!(objects([&format!("namespace/{system}")[..]]).is_empty());
    kubectl(["delete", "namespace", "--wait=false", &dev]);
}

#[test]
fn kept_volumes_are_opened_by_the_kept_secrets() {
    let stack = Stack::new("kept", SMALL);
    stack.up();
    let before = stack.secrets();
    let volumes = || -> Vec<_> {
        let claims = objects(["persistentvolumeclaims", "--namespace", &stack.system()]);
        claims.iter().map(|claim| claim["spec"]["volumeName"].clone()).collect()
    };
    let bound = volumes();
    assert_eq!(bound.len(), 2);
    stack.run(&["down", "--output", "json"]).code(2).says("--yes");
    let report = stack.run(&["down", "--yes", "--output", "json"]).code(0).json();
    assert!(report["kept"].as_array().unwrap().iter().any(|kept| kept["kind"] == "PersistentVolumeClaim"), "{report}");
    assert_eq!(stack.run(&["down", "--yes", "--output", "json"]).code(0).json()["steps"], json!([]));
    assert_only(&stack.up(), "installed", &["minio", "pg"]);
    assert_eq!(stack.secrets(), before);
    assert_eq!(volumes(), bound);

    stack.run(&["down", "--purge", "--yes"]).code(2).says("--confirm");
    stack.run(&["down", "--purge", "--confirm", "other"]).code(2);
    stack.up_is_unchanged();
}

#[test]
fn a_volume_whose_secret_is_gone_is_found_before_it_is_too_late() {
    let stack = Stack::new("lost", SMALL);
    stack.up();
    stack.run(&["down", "--yes"]).code(0);
    kubectl(["delete", "secret/pg-superuser", "--namespace", &stack.system()]);
    let report = stack.run(&["preflight", "--output", "json"]).code(3).json();
    let failed: Vec<_> =
        report["checks"].as_array().unwrap().iter().filter(|check| check["outcome"] == "failed").collect();
    assert_eq!(failed.len(), 1, "{report}");
    assert!(failed[0]["detail"].as_str().unwrap().contains("pg-superuser"), "{report}");
}

#[test]
fn another_stack_of_the_same_names_is_left_alone() {
    let stack = Stack::new("owned", SMALL);
    for namespace in stack.namespaces() {
        let labels = json!({"mlopsctl.dev/stack": "theirs"});
        let object =
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": labels}});
        kubectl_with(["create", "-f", "-"], &object);
    }
    for args in [&["up", "--yes"][..], &["plan"], &["down", "--yes"], &["down", "--purge", "--confirm", &stack.id]] {
        stack.run(args).code(3).says("theirs").says("stackId: theirs");
    }
    stack.run(&["preflight"]).code(3);
    assert!(stack.namespaces().iter().all(|namespace| objects_in(namespace).is_empty()));
    for namespace in stack.namespaces() {
        kubectl(["label", "namespace", &namespace, "mlopsctl.dev/stack-", "mlopsctl.dev/created=true"]);
    }
}

#[test]
fn a_finalizer_that_holds_an_object_is_named_with_the_way_out() {
    let mut stack = Stack::new("held", SMALL);
    let dev = stack.dev();
    stack.up();
    let metadata = json!({"name": "held", "finalizers": ["example.com/hold"]});
    let held = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata});
    kubectl_with(["create", "-f", "-", "--namespace", &dev], &held);
    kubectl(["delete", "configmap/held", "--namespace", &dev, "--wait=false"]);
    let started = Instant::now();
    let ended = stack.purge().code(0).says("finalizer example.com/hold (of the controller of example.com)");
    // Nobody lets go of the object: it must come back by itself.
    assert!(started.elapsed() < Duration::from_mins(5), "{ended}");
    let fix = format!("kubectl patch configmap/held -n {dev} --type=merge");
    let report = ended.says(&fix).json();
    let named = |kept: &&serde_json::Value| kept["name"] == "configmap/held" && kept["namespace"] == dev.as_str();
    assert_eq!(report["kept"].as_array().unwrap().iter().filter(named).count(), 1, "{report}");
    let let_go = r#"{"metadata":{"finalizers":null}}"#;
    kubectl(["patch", "configmap/held", "--namespace", &dev, "--type=merge", "-p", let_go]);
    stack.purge().code(0);
    assert!(objects([&format!("namespace/{dev}")[..]]).is_empty());
}

#[test]
fn chosen_data_survives_a_purge_and_is_taken_up_again() {
    let stack = Stack::new("chosen", SMALL);
    stack.up();
    let secrets = stack.secrets();
    let volume = |name: &str| {
        let found = objects([&format!("persistentvolumeclaim/{name}")[..], "--namespace", &stack.system()]);
        found.first().map(|claim| claim["spec"]["volumeName"].clone())
    };
    let bound = volume("data-pg-postgresql-0").unwrap();
    let purge = |keep: &str| {
        let arguments = ["down", "--purge", "--keep", keep, "--confirm", &stack.id, "--yes", "--output", "json"];
        stack.run(&arguments)
    };
    purge("pgg").code(2).says("there is no release `pgg`").says("did you mean `pg`?");
    stack.up_is_unchanged();

    let report = purge("pg").code(0).says("databases of pg, which could not be asked").json();
    let inventory = &report["inventory"];
    let fates = |part: &str, key: &str| -> Vec<String> {
        let entries = inventory[part].as_array().unwrap().iter();
        entries.map(|it| format!("{} {}", it["fate"].as_str().unwrap(), it[key].as_str().unwrap())).collect()
    };
    assert_eq!(fates("volumes", "name"), ["delete data-minio-0", "keep data-pg-postgresql-0"]);
    // No kubelet, so nobody runs the command.
    assert_eq!(fates("contents", "release"), ["keep pg", "delete minio"]);
    for contents in inventory["contents"].as_array().unwrap() {
        assert_eq!((&contents["items"], contents["problem"].is_string()), (&json!([]), true), "{contents}");
    }
    assert_eq!(volume("data-minio-0"), None);
    let kept: Vec<String> = stack.secrets().into_keys().map(|(_, name)| name).collect();
    assert_eq!(kept, ["mlflow-db", "pg-superuser"]);

    assert_only(&stack.up(), "installed", &["minio", "pg"]);
    assert_eq!(volume("data-pg-postgresql-0").unwrap(), bound);
    let again = stack.secrets();
    let of = |name: &str| (stack.system(), name.to_owned());
    for name in ["mlflow-db", "pg-superuser"] {
        assert_eq!(again[&of(name)], secrets[&of(name)], "{name}");
    }
    assert_ne!(again[&of("minio-root")], secrets[&of("minio-root")]);
}

/// Only Argo, whose chart brings CustomResourceDefinitions, and what needs not be there for it.
const ARGO: &str = "monitoring: {enabled: false}\nlogging: {enabled: false}\nmlflow: {enabled: false}\n";

fn custom_resource(kind: &str, name: &str, metadata: &Value) -> Value {
    let mut object = json!({"apiVersion": "argoproj.io/v1alpha1", "kind": kind, "metadata": metadata, "spec": {}});
    object["metadata"]["name"] = name.into();
    object
}

#[test]
fn custom_resources_go_before_the_operator_of_their_kind() {
    // A release that does not say what it needs.
    let own = "releases: [{name: jobs, chart: {name: jobs, path: jobs}}]\n";
    let stack = Stack::with_crds("custom", &format!("{ARGO}{own}"));
    let chart = stack.work().join("jobs");
    fs::create_dir_all(chart.join("templates")).unwrap();
    fs::write(chart.join("Chart.yaml"), "apiVersion: v2\nname: jobs\nversion: 0.1.0\n").unwrap();
    let template = custom_resource("WorkflowTemplate", "nightly", &json!({"finalizers": ["example.com/hold"]}));
    fs::write(chart.join("templates/template.yaml"), template.to_string()).unwrap();
    stack.up();
    let dev = stack.dev();
    let labels = json!({"mlopsctl.dev/stack": stack.id});
    let ours =
        custom_resource("WorkflowTemplate", "ours", &json!({"labels": labels, "finalizers": ["example.com/hold"]}));
    kubectl_with(["create", "-f", "-", "--namespace", &dev], &ours);

    let place = |name: &str, namespace: &str| (format!("workflowtemplates.argoproj.io/{name}"), namespace.to_owned());
    let wait_deleted = |(name, namespace): &(String, String)| {
        let started = Instant::now();
        while objects([name, "--namespace", namespace])[0]["metadata"]["deletionTimestamp"].is_null() {
            assert!(started.elapsed() < Duration::from_mins(5), "{name} is not deleted");
            std::thread::sleep(Duration::from_millis(200));
        }
    };
    // As an operator does that is still there.
    let let_go = |(name, namespace): &(String, String)| {
        let patch = r#"{"metadata":{"finalizers":null}}"#;
        kubectl(["patch", name, "--namespace", namespace, "--type=merge", "-p", patch]);
    };
    let child = stack.spawn(&["down", "--yes", "--output", "ndjson"]);
    let ours = place("ours", &dev);
    wait_deleted(&ours);
    stack.assert_deployed(&["argo", "jobs", "minio", "pg"]);
    let_go(&ours);
    let nightly = place("nightly", &stack.system());
    wait_deleted(&nightly);
    // helm is done with the release, its object is not gone.
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(stack.helm_list().get("argo").map(String::as_str), Some("deployed"));
    let_go(&nightly);
    let events = stack.wait(child).code(0).json_lines();
    let position = |event: &str, release: &str| {
        let found = events.iter().position(|it| it["event"] == event && it["release"] == release);
        found.unwrap_or_else(|| panic!("{release} was never {event}: {events:?}"))
    };
    assert!(position("finished", "jobs") < position("started", "argo"), "{events:?}");
    for (name, namespace) in [&ours, &nightly] {
        assert!(objects([name, "--namespace", namespace]).is_empty(), "{name}");
    }
    let held = |kept: &Value| kept["kind"] == "Object";
    assert!(!events.last().unwrap()["kept"].as_array().unwrap().iter().any(held), "{events:?}");
}

#[test]
fn custom_resources_of_others_stay_and_are_named() {
    let mut stack = Stack::with_crds("others", ARGO);
    stack.up();
    let shop = format!("{}-shop", stack.id);
    kubectl(["create", "namespace", &shop]);
    let create = |name: &str, metadata: &Value| {
        kubectl_with(["create", "-f", "-", "--namespace", &shop], &custom_resource("Workflow", name, metadata));
    };
    create("free", &json!({}));
    create("held", &json!({"finalizers": ["example.com/hold"]}));
    let named = "workflows.argoproj.io of others: free, held";
    let warning = format!(
        "held by finalizer example.com/hold; if nobody needs it: kubectl delete workflows.argoproj.io -n {shop} held"
    );
    let report = stack.purge().code(0).says(named).says(&warning).json();
    let expected = json!([
        {"crd": "workflows.argoproj.io", "namespace": shop, "name": "free", "finalizers": []},
        {"crd": "workflows.argoproj.io", "namespace": shop, "name": "held", "finalizers": ["example.com/hold"]},
    ]);
    assert_eq!(report["inventory"]["customResources"], expected);
    let crds = report["inventory"]["crds"].as_array().unwrap();
    let kept: Vec<&Value> = crds.iter().filter(|crd| crd["fate"] == "keep").map(|crd| &crd["name"]).collect();
    assert_eq!(kept, ["workflows.argoproj.io"]);
    let left = objects(["workflows.argoproj.io", "--namespace", &shop]);
    assert_eq!(left.len(), 2);
    assert!(left.iter().all(|it| it["metadata"]["deletionTimestamp"].is_null()), "{left:?}");
    let let_go = r#"{"metadata":{"finalizers":null}}"#;
    kubectl(["patch", "workflows.argoproj.io/held", "--namespace", &shop, "--type=merge", "-p", let_go]);
    kubectl(["delete", "crd/workflows.argoproj.io"]);
    kubectl(["delete", "namespace", "--wait=false", &shop]);
}
