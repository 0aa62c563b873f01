//! What `down` takes away, and what it must not.

use serde_json::json;

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
    let started = std::time::Instant::now();
    let ended = stack.purge().code(0).says("finalizer example.com/hold (of the controller of example.com)");
    assert!(started.elapsed().as_secs() < 60, "{ended}");
    let fix = format!("kubectl patch configmap/held -n {dev} --type=merge");
    let report = ended.says(&fix).json();
    let named = |kept: &&serde_json::Value| kept["name"] == "configmap/held" && kept["namespace"] == dev.as_str();
    assert_eq!(report["kept"].as_array().unwrap().iter().filter(named).count(), 1, "{report}");
    let let_go = r#"{"metadata":{"finalizers":null}}"#;
    kubectl(["patch", "configmap/held", "--namespace", &dev, "--type=merge", "-p", let_go]);
    stack.purge().code(0);
    assert!(objects([&format!("namespace/{dev}")[..]]).is_empty());
}
