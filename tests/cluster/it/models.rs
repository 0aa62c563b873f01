//! The commands about models where nodes are simulated: what can be known there, and what must not be claimed. The whole way
//! runs on a real node (`real_node.rs`).

use std::fs;

use crate::cluster::{kubectl, objects};
use crate::stack::{Stack, WITH_MLFLOW};

const WITH_WORKFLOWS: &str = "monitoring: {enabled: false}\nlogging: {enabled: false}\nmlflow: {enabled: false}\n";

#[test]
fn verify_claims_nothing_about_pods_that_do_not_run() {
    let stack = Stack::new("verify", WITH_MLFLOW);
    let before = stack.run(&["verify", "--output", "json"]).code(3).says("is the stack installed?");
    assert_eq!(before.stdout, "");
    stack.up();
    let report = stack.run(&["verify", "--output", "json", "--junit", "verify.xml"]).code(0).json();
    assert_eq!(report["ok"], true);
    let steps = report["steps"].as_array().unwrap();
    assert_eq!(steps.len(), 7);
    for step in steps {
        assert_eq!(step["status"], "skipped", "{step}");
        assert!(step["reason"].as_str().unwrap().contains("simulated nodes"), "{step}");
    }
    let junit = fs::read_to_string(stack.work().join("verify.xml")).unwrap();
    assert!(junit.contains(r#"tests="7" skipped="7" errors="0" failures="0""#), "{junit}");
    assert!(objects(["namespaces", &format!("{}-verify", stack.system())]).is_empty());
}

#[test]
fn pipelines_reach_the_cluster_with_the_stacks_own_parameters() {
    let stack = Stack::with_crds("pipelines", &format!("{WITH_WORKFLOWS}images: {{pipelines: example.com/own:7}}\n"));
    stack.up();
    let run = stack.run(&["pipeline", "run", "-p", "seed=8", "--no-wait", "--output", "json"]).code(0).json();
    let name = run["name"].as_str().unwrap();
    assert!(name.starts_with("train-register-"), "{name}");
    let made = &objects(["workflows.argoproj.io", "--namespace", &stack.dev()])[0];
    assert_eq!(made["spec"]["workflowTemplateRef"]["name"], "train-register");
    let parameters = made["spec"]["arguments"]["parameters"].to_string();
    let tracking = format!("http://mlflow.{}.svc.cluster.local:5000", stack.system());
    for part in [r#"{"name":"seed","value":"8"}"#, r#"{"name":"image","value":"example.com/own:7"}"#, &tracking] {
        assert!(parameters.contains(part), "{part} is not in {parameters}");
    }
    // Nothing runs here, so nobody picks it up.
    let late = stack.run(&["pipeline", "run", "drift", "--timeout", "2"]).code(1);
    late.says("no workflow controller has picked it up").says("kubectl describe workflow");
    let runs = stack.run(&["pipeline", "list", "--output", "json"]).code(0).json();
    assert_eq!(runs.as_array().unwrap().len(), 2, "{runs}");
    assert!(stack.run(&["pipeline", "list"]).code(0).stdout.contains(name));
    stack.run(&["pipeline", "logs", name]).code(1).says("are gone");
    // They are the user's: with them in it, `down` would leave the namespace.
    kubectl(["delete", "workflows.argoproj.io", "--all", "--namespace", &stack.dev()]);
}

#[test]
fn wrong_names_are_told_with_the_right_ones() {
    let stack = Stack::new("names", WITH_MLFLOW);
    stack.run(&["pipeline", "list"]).code(2).says("release `argo` (workflows) is switched off in mlops.yaml");
    stack.configure(WITH_WORKFLOWS);
    stack.run(&["pipeline", "run", "train"]).code(2).says("there is no pipeline `train`").says("train-register");
    let wrong = stack.run(&["pipeline", "run", "-p", "sead=8"]).code(2);
    wrong.says("pipeline `train-register` has no parameter `sead`").says("did you mean `seed`?");
    stack.run(&["pipeline", "run", "-p", "seed"]).code(2).says("KEY=VALUE");
    stack.run(&["model", "list"]).code(2).says("release `mlflow` (tracking and model registry) is switched off");
    stack.run(&["serving", "deploy"]).code(2).says("release `demo` (model server) is switched off");
}

#[test]
fn a_registry_that_does_not_answer_is_named() {
    let stack = Stack::new("registry", &format!("{WITH_MLFLOW}serving: {{enabled: true}}\n"));
    let away = stack.run(&["model", "list", "--output", "json"]).code(1);
    assert_eq!(away.stdout, "");
    away.says(&format!("mlflow.{}:5000 cannot be reached", stack.system())).says("mlopsctl status");
    stack.run(&["serving", "deploy", "--yes"]).code(1).says("cannot be reached");
    stack.run(&["serving", "status"]).code(1).says("release demo is not installed").says("mlopsctl serving deploy");
}
