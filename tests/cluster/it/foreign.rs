//! States of a cluster that `up` must not build on.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::cluster::{PROJECT, helm, kubectl, kubectl_with, objects};
use crate::stack::{SMALL, Stack, assert_only};

/// Only Argo, whose chart brings CustomResourceDefinitions, and what needs not be there for it.
const ARGO: &str = "monitoring: {enabled: false}\nlogging: {enabled: false}\nmlflow: {enabled: false}\n";

#[test]
fn a_namespace_that_is_being_deleted_is_not_used() {
    let stack = Stack::new("ending", SMALL);
    let dev = stack.dev();
    kubectl(["create", "namespace", &dev]);
    let held = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "held", "finalizers": ["example.com/hold"]}});
    kubectl_with(["create", "-f", "-", "--namespace", &dev], &held);
    kubectl(["delete", "namespace", &dev, "--wait=false"]);
    stack.run(&["up", "--yes"]).code(3).says(&dev).says("kubectl wait --for=delete");
    stack.run(&["preflight"]).code(3);
    assert!(objects([&format!("namespace/{}", stack.system())[..]]).is_empty(), "nothing may be made");
    kubectl([
        "patch",
        "configmap/held",
        "--namespace",
        &dev,
        "--type=merge",
        "-p",
        r#"{"metadata":{"finalizers":null}}"#,
    ]);
    kubectl(["wait", "--for=delete", &format!("namespace/{dev}"), "--timeout=60s"]);
    assert_only(&stack.up(), "installed", &["minio", "pg"]);
}

#[test]
fn a_foreign_release_of_the_same_name_is_not_touched() {
    let stack = Stack::new("foreign", SMALL);
    let system = stack.system();
    let chart = Path::new(PROJECT).join("charts/minio");
    helm([
        "install",
        "minio",
        chart.to_str().unwrap(),
        "-n",
        &system,
        "--create-namespace",
        "--set",
        "auth.existingSecret=own",
    ]);
    // Pods and what belongs to them are still on their way.
    let names = || kubectl(["get", "statefulsets,services,secrets", "--namespace", &system, "-o", "name"]);
    let before = names();
    stack.run(&["up", "--yes"]).code(3).says("minio").says(&format!("helm uninstall minio -n {system}"));
    stack.run(&["plan"]).code(3).says("minio");
    stack.run(&["preflight"]).code(3);
    assert_eq!(names(), before);
    stack.run(&["down", "--yes"]).code(0);
    stack.assert_deployed(&["minio"]);
    helm(["uninstall", "minio", "-n", &system]);
    kubectl(["delete", "namespace", &system]);
}

#[test]
fn secrets_that_must_exist_are_asked_for_by_key() {
    let stack = Stack::new("existing", &format!("{SMALL}credentials: {{source: existing}}\n"));
    let ended = stack.run(&["up", "--yes"]).code(3).says("mlopsctl render");
    for text in ["minio-root", "rootPassword", "pg-superuser", "mlflow-s3", "AWS_SECRET_ACCESS_KEY", &stack.system()] {
        assert!(ended.stderr.contains(text), "{text}: {ended}");
    }
    assert!(objects([&format!("namespace/{}", stack.system())[..]]).is_empty(), "nothing may be made");
}

#[test]
fn preflight_finds_what_is_missing_and_changes_nothing() {
    let stack = Stack::new("preflight", &format!("{SMALL}cluster: {{storageClass: fast}}\n"));
    let failed = |expected: i32| -> Vec<Value> {
        let report = stack.run(&["preflight", "--output", "json"]).code(expected).json();
        let checks = report["checks"].as_array().unwrap().clone();
        assert!(checks.len() >= 12, "{report}");
        checks.into_iter().filter(|check| check["outcome"] == "failed").collect()
    };
    let found = failed(3);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0]["title"].as_str().unwrap().contains("StorageClass") && found[0]["detail"] == "fast", "{found:?}");
    assert!(found[0]["hint"].as_str().unwrap().contains("cluster.storageClass"), "{found:?}");
    stack.run(&["install", "--yes"]).code(3).says("StorageClass");

    stack.configure(&format!("{SMALL}domain: ml.example.com\ningress: {{className: nginx}}\n"));
    let found = failed(3);
    assert!(found.len() == 1 && found[0]["detail"] == "nginx", "{found:?}");
    stack.configure(SMALL);
    assert_eq!(failed(0), [Value::Null; 0]);
    assert!(stack.namespaces().iter().all(|namespace| objects([&format!("namespace/{namespace}")[..]]).is_empty()));
    stack.run(&["preflight", "--context", "nowhere"]).code(3);
}

/// helm would not take it over, and `up` say so only in the middle of its run.
#[test]
fn preflight_finds_a_class_that_k3s_owns() {
    let release = "releases: [{name: edge, chart: {name: edge, path: edge}}]\n";
    let stack = Stack::new("class", &format!("{SMALL}{release}"));
    let chart = stack.work().join("edge");
    fs::create_dir_all(chart.join("templates")).unwrap();
    fs::write(chart.join("Chart.yaml"), "apiVersion: v2\nname: edge\nversion: 0.1.0\n").unwrap();
    let class = |name: &str| {
        let metadata = json!({"name": name});
        let spec = json!({"controller": "example.com/edge"});
        let class =
            json!({"apiVersion": "networking.k8s.io/v1", "kind": "IngressClass", "metadata": metadata, "spec": spec});
        fs::write(chart.join("templates/class.yaml"), class.to_string()).unwrap();
    };
    class("traefik");
    let report = stack.run(&["preflight", "--output", "json"]).code(3).json();
    let failed: Vec<&Value> =
        report["checks"].as_array().unwrap().iter().filter(|check| check["outcome"] == "failed").collect();
    assert_eq!(failed.len(), 1, "{report}");
    let detail = "IngressClass traefik of edge belongs to release traefik in namespace kube-system";
    assert_eq!(failed[0]["detail"], detail, "{report}");
    class(&format!("{}-edge", stack.id));
    stack.run(&["preflight"]).code(0);
}

fn definition(plural: &str, kind: &str, version: &str, annotations: &Value) -> Value {
    let schema = json!({"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}});
    let names =
        json!({"plural": plural, "singular": kind.to_lowercase(), "kind": kind, "listKind": format!("{kind}List")});
    let version = json!({"name": version, "served": true, "storage": true, "schema": schema});
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.argoproj.io"), "annotations": annotations},
        "spec": {"group": "argoproj.io", "scope": "Namespaced", "names": names, "versions": [version]},
    })
}

#[test]
fn definitions_of_others_are_left_alone_and_lost_versions_refused() {
    let mut stack = Stack::with_crds("definitions", ARGO);
    let dev = stack.dev();
    let chart = stack.work().join("theirs");
    fs::create_dir_all(chart.join("templates")).unwrap();
    fs::write(chart.join("Chart.yaml"), "apiVersion: v2\nname: theirs\nversion: 0.1.0\n").unwrap();
    let theirs = definition("workflows", "Workflow", "v1alpha1", &json!({}));
    fs::write(chart.join("templates/crd.yaml"), theirs.to_string()).unwrap();
    helm(["install", "theirs", chart.to_str().unwrap(), "--namespace", &dev, "--create-namespace"]);

    let create = |object: &Value| kubectl_with(["create", "-f", "-"], object);
    let k3s_owned = json!({"objectset.rio.cattle.io/owner-name": "workflows"});
    create(&definition("cronworkflows", "CronWorkflow", "v1alpha1", &k3s_owned));
    let orphan = json!({"meta.helm.sh/release-name": "gone", "meta.helm.sh/release-namespace": "gone"});
    create(&definition("workflowtemplates", "WorkflowTemplate", "v1alpha1", &orphan));
    create(&definition("workflowtasksets", "WorkflowTaskSet", "v1beta9", &json!({})));
    kubectl(["wait", "--for=condition=Established", "crd/workflowtasksets.argoproj.io", "--timeout=30s"]);

    let ended = stack.run(&["up", "--yes"]).code(1).says("workflowtasksets.argoproj.io").says("v1beta9");
    assert!(!ended.stderr.contains("installing"), "{ended}");
    kubectl(["delete", "crd/workflowtasksets.argoproj.io"]);

    let ended = stack.run(&["up", "--yes"]).code(0).says("helm release theirs").says("workflows of K3s or Rancher");
    ended.says(" workflows.argoproj.io").says(" cronworkflows.argoproj.io");
    stack.up_is_unchanged();
    let label = |name: &str| {
        let found = objects([&format!("crd/{name}.argoproj.io")[..]]);
        found[0]["metadata"]["labels"]["mlopsctl.dev/stack"].clone()
    };
    assert_eq!([label("workflows"), label("cronworkflows")], [Value::Null, Value::Null]);
    assert_eq!([label("workflowtemplates"), label("workflowtasksets")], [&stack.id[..], &stack.id[..]]);
    let report = stack.run(&["preflight", "--output", "json"]).code(0).json();
    let named = |check: &&Value| {
        check["outcome"] == "warned" && check["detail"].as_str().unwrap().contains("cronworkflows.argoproj.io")
    };
    assert_eq!(report["checks"].as_array().unwrap().iter().filter(named).count(), 1, "{report}");

    stack.purge().code(0);
    let left = objects(["crds"]);
    let mut left: Vec<&str> = left
        .iter()
        .filter_map(|crd| crd["metadata"]["name"].as_str())
        .filter(|name| name.ends_with(".argoproj.io"))
        .collect();
    left.sort_unstable();
    assert_eq!(left, ["cronworkflows.argoproj.io", "workflows.argoproj.io"]);
    kubectl(["delete", "crd/cronworkflows.argoproj.io"]);
    helm(["uninstall", "theirs", "--namespace", &dev]);
    kubectl(["delete", "namespace", "--wait=false", &dev]);
}
