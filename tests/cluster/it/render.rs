//! The way without mlopsctl: what `render` writes, installed by its script with helm and kubectl alone.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::Value;

use crate::acceptance::ALL;
use crate::cluster::{cluster, command, helm, kubectl, objects, run};
use crate::stack::Stack;

/// With everything that needs a derived Secret: a URI, a password hash, copies.
const CONFIG: &str = "
domain: mlops.test
ingress: {basicAuth: {enabled: true}}
workflows: {archive: true}
";

fn script(stack: &Stack) -> Command {
    let cluster = cluster();
    let mut script = command(stack.work().join("plain/install.sh"));
    script.env("KUBECONFIG", &cluster.kubeconfig).env("HELM", &cluster.helm).env("KUBECTL", &cluster.kubectl);
    script.env("CHARTS", &cluster.charts);
    script
}

fn secrets(stack: &Stack) -> BTreeMap<(String, String), Value> {
    let mut found = BTreeMap::new();
    for namespace in stack.namespaces() {
        for secret in objects(["secrets", "--namespace", &namespace]) {
            let name = secret["metadata"]["name"].as_str().unwrap().to_owned();
            if !name.starts_with("sh.helm.release") {
                found.insert((namespace.clone(), name), secret["data"].clone());
            }
        }
    }
    found
}

fn workloads(namespace: &str) -> Vec<String> {
    let found = objects(["deployments,statefulsets,daemonsets", "--namespace", namespace]);
    found.iter().map(|object| format!("{}/{}", object["kind"], object["metadata"]["name"])).collect()
}

#[test]
fn the_rendered_script_installs_the_same_stack_with_helm_alone() {
    let stack = Stack::with_crds("plain", CONFIG);
    stack.run(&["render", "--output-dir", "plain"]).code(0);
    run(&mut script(&stack));
    let mut releases = ALL.to_vec();
    releases.push("platform");
    stack.assert_deployed(&releases);

    let made = secrets(&stack);
    let data = |name: &str, key: &str| {
        let text = made[&(stack.system(), name.to_owned())][key].as_str().unwrap().to_owned();
        run(command("sh").args(["-c", "printf %s \"$0\" | base64 -d", &text]))
    };
    let uri = data("mlflow-db", "uri");
    assert!(uri.contains(&format!(":{}@pg-postgresql.", data("mlflow-db", "password"))), "{uri}");
    assert!(data("ingress-basic-auth", "users").starts_with("mlops:$apr1$"));
    assert_eq!(made[&(stack.system(), "argo-s3".into())], made[&(stack.dev(), "argo-s3".into())]);

    // Once more: Secrets stay, helm makes a second revision.
    run(&mut script(&stack));
    assert_eq!(secrets(&stack), made);
    stack.assert_deployed(&releases);

    // mlopsctl does not touch what another hand made, and names it.
    stack.run(&["up", "--yes"]).code(3).says("was not made by mlopsctl");

    let by_script = workloads(&stack.system());
    for release in &releases {
        helm(["uninstall", release, "--namespace", &stack.system()]);
    }
    kubectl(["delete", "namespace"].into_iter().chain(stack.namespaces().each_ref().map(String::as_str)));
    stack.up();
    assert_eq!(workloads(&stack.system()), by_script, "both ways make the same workloads");
}
