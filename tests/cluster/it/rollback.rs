//! The journal of runs, the revisions of the stack, and the way back to them.

use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::cluster::{cluster, helm, kubectl, objects};
use crate::stack::{SMALL, Stack, WITH_MLFLOW, assert_only, send};

fn team(name: &str) -> String {
    format!(
        "{WITH_MLFLOW}values: {{minio: {{podLabels: {{team: {name}}}}}, mlflow: {{podLabels: {{team: {name}}}}}}}\n"
    )
}

fn team_of(stack: &Stack, workload: &str) -> Value {
    objects([workload, "--namespace", &stack.system()])[0]["spec"]["template"]["metadata"]["labels"]["team"].clone()
}

fn roll_back(stack: &Stack, args: &[&str]) -> crate::stack::Ended {
    stack.run(&[&["rollback", "--yes", "--output", "json"], args].concat())
}

fn record(stack: &Stack, key: &str) -> Value {
    let found = objects(["configmap/mlopsctl-stack", "--namespace", &stack.system()]);
    serde_json::from_str(found[0]["data"][key].as_str().unwrap()).unwrap()
}

/// The version of what a run writes: the record and the Lease.
fn versions(stack: &Stack) -> Vec<Value> {
    let system = stack.system();
    let found = objects(["configmap/mlopsctl-stack", "lease/mlopsctl", "--namespace", &system]);
    found.iter().map(|object| object["metadata"]["resourceVersion"].clone()).collect()
}

fn goes_back_and_forth(stack: &Stack) {
    assert_only(&stack.up(), "installed", &["minio", "mlflow", "pg"]);
    let written = versions(stack);
    stack.up_is_unchanged();
    assert_eq!(versions(stack), written, "a run with nothing to do writes nothing");
    stack.configure(&team("vision"));
    assert_only(&stack.up(), "upgraded", &["minio", "mlflow"]);
    assert_eq!(team_of(stack, "statefulset/minio"), "vision");
    let history = stack.run(&["history", "--output", "json"]).code(0).json();
    let statuses: Vec<_> = history["revisions"].as_array().unwrap().iter().map(|it| it["status"].clone()).collect();
    assert_eq!(statuses, ["deployed", "superseded"], "{history}");
    let minio = &history["revisions"][0]["releases"]["minio"];
    assert_eq!((&minio["revision"], &minio["chart"]), (&2.into(), &"minio-0.1.0".into()), "{history}");

    let ended = stack.run(&["rollback"]).code(2).says("--yes");
    assert!(ended.stdout.contains("roll back minio from revision 2 to 1"), "{ended}");
    let ended = roll_back(stack, &[]).code(0);
    assert_only(&ended.actions(), "rolled-back", &["minio", "mlflow"]);
    assert!(team_of(stack, "statefulset/minio").is_null() && team_of(stack, "deployment/mlflow").is_null());
    stack.run(&["status"]).code(0).says("the file differs from revision 3");
    let plan = stack.run(&["plan", "--summary", "--exit-code"]).code(5);
    assert!(plan.stdout.contains("upgrade minio (minio) from revision 3"), "{plan}");

    // The revision before this one is the way forward again.
    assert_only(&roll_back(stack, &[]).code(0).actions(), "rolled-back", &["minio", "mlflow"]);
    assert_eq!(team_of(stack, "statefulset/minio"), "vision");
    stack.up_is_unchanged();
    let again = roll_back(stack, &["2"]).code(0);
    assert_eq!(again.json()["steps"], json!([]), "{again}");
    roll_back(stack, &["7"]).code(3).says("mlopsctl history");
}

#[test]
fn the_whole_stack_goes_back_and_forth() {
    let stack = Stack::new("back", WITH_MLFLOW);
    roll_back(&stack, &[]).code(3).says("no revision");
    goes_back_and_forth(&stack);
}

#[test]
fn helm_3_goes_back_as_well() {
    let stack = Stack::new("back-3", WITH_MLFLOW);
    stack.set_helm(&cluster().helm3);
    goes_back_and_forth(&stack);
}

#[test]
fn what_was_not_there_is_left_or_pruned_and_what_is_gone_is_named() {
    let stack = Stack::new("prune", SMALL);
    stack.up();
    stack.configure(&team("vision"));
    stack.up();
    let ended = roll_back(&stack, &["1"]).code(0).says("mlflow: it was not there then");
    assert_only(&ended.actions(), "rolled-back", &["minio"]);
    assert_only(&roll_back(&stack, &["1", "--prune"]).code(0).actions(), "removed", &["mlflow"]);
    stack.assert_deployed(&["minio", "pg"]);
    // helm has nothing of MLflow any more.
    roll_back(&stack, &["2"]).code(3).says("mlflow: it was removed since").says("--partial");
    assert_only(&roll_back(&stack, &["2", "--partial"]).code(0).actions(), "rolled-back", &["minio"]);
    assert_eq!(team_of(&stack, "statefulset/minio"), "vision");

    for round in 0..11 {
        helm(["rollback", "minio", "0", "-n", &stack.system(), "--history-max", "10"]);
        println!("hand {round}");
    }
    kubectl([
        "delete",
        "secret",
        "--namespace",
        &stack.system(),
        "--selector",
        "owner=helm,name=minio,status=superseded",
    ]);
    roll_back(&stack, &["1"]).code(3).says("helm does not keep revision 1 any more");
    stack.up();
    stack.up_is_unchanged();
}

#[test]
fn a_schema_that_went_forward_holds_the_way_back() {
    let image = |tag: &str| format!("{WITH_MLFLOW}images: {{mlflow: 'ghcr.io/mlflow/mlflow:{tag}'}}\n");
    let stack = Stack::new("schema", &image("v3.15.0-full"));
    stack.up();
    stack.configure(&image("v3.16.1-full"));
    assert_only(&stack.up(), "upgraded", &["mlflow"]);
    roll_back(&stack, &[]).code(3).says("schema").says("v3.15.0").says("--backup NAME");
    assert_eq!(stack.helm_list()["mlflow"], "deployed");
    assert_only(&roll_back(&stack, &["--backup", "monday"]).code(0).actions(), "rolled-back", &["mlflow"]);
    assert_eq!(record(&stack, "revisions.json")[2]["backup"], "monday");
    // Forward again, as an upgrade does.
    assert_only(&roll_back(&stack, &[]).code(0).actions(), "rolled-back", &["mlflow"]);
}

#[test]
fn a_dead_run_is_told_from_a_live_one() {
    let stack = Stack::new("journal", WITH_MLFLOW);
    let child = stack.spawn(&["up", "--yes"]);
    let system = stack.system();
    let started = Instant::now();
    while objects(["configmap/mlopsctl-stack", "--namespace", &system]).is_empty() {
        assert!(started.elapsed() < Duration::from_mins(5), "no journal was written");
    }
    let id = child.id();
    // It is at work, but can do no more: the tools that it started end, and nothing follows them.
    send("STOP", &id.to_string());
    let report = stack.run(&["status", "--output", "json"]).json();
    assert_eq!(report["run"]["state"], "atWork", "{report}");
    assert_eq!(report["run"]["journal"]["command"], "up", "{report}");
    send("KILL", &id.to_string());
    stack.wait(child).code(-9);
    sleep(Duration::from_secs(16));
    let report = stack.run(&["status", "--output", "json"]).json();
    assert_eq!(report["run"]["state"], "cutOff", "{report}");
    let ended = stack.run(&["status"]);
    assert!(ended.stdout.contains("was cut off") && ended.stdout.contains("`mlopsctl up` goes on"), "{ended}");
    stack.up();
    let report = stack.run(&["status", "--output", "json"]).code(0).json();
    assert_eq!((&report["run"]["state"], &report["revision"]), (&"ended".into(), &1.into()), "{report}");
    stack.up_is_unchanged();
}
