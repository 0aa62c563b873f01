//! A release that does not become ready: its cause, what is skipped, and that the next run heals it.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::cluster::{kubectl, until};
use crate::stack::{Ended, SMALL, Stack, WITH_MLFLOW, assert_only};

fn up(stack: &Stack) -> Ended {
    stack.run(&["up", "--yes", "--output", "json", "--grace", "2"])
}

#[track_caller]
fn assert_cause(ended: &Ended, release: &str, code: &str) -> Value {
    let cause = ended.cause(release);
    assert_eq!(cause["code"], code, "{ended}");
    for part in ["title", "evidence", "fix"] {
        assert!(cause[part].as_str().is_some_and(|text| !text.is_empty()), "{cause}");
    }
    assert!(ended.stderr.contains(code), "{ended}");
    cause
}

fn with_fate(release: &str, fate: &str) -> String {
    format!("{WITH_MLFLOW}values: {{{release}: {{podAnnotations: {{simulate.mlopsctl.dev/pod: {fate}}}}}}}\n")
}

/// A StatefulSet does not replace a pod that never got ready: the fault of its first revision is the hard one.
#[test]
fn a_first_install_that_fails_names_its_cause_and_heals() {
    let stack = Stack::new("cause-first", &with_fate("minio", "image"));
    let ended = up(&stack).code(1);
    assert_cause(&ended, "minio", "MLC101");
    assert_eq!(ended.actions()["pg"], "installed");
    assert_eq!(ended.actions()["mlflow"], "skipped");
    let skipped = ended.cause("mlflow");
    assert_eq!(skipped["code"], "MLC004");
    assert!(skipped["evidence"].as_str().unwrap().contains("minio"), "{skipped}");
    assert!(ended.json()["ok"] == false && ended.json()["seconds"].as_f64().unwrap() < 60.0, "{ended}");

    stack.configure(WITH_MLFLOW);
    let ended = up(&stack).code(0);
    assert_eq!(ended.actions()["mlflow"], "installed");
    assert_eq!(ended.actions()["pg"], "unchanged");
    stack.up_is_unchanged();
}

#[test]
fn each_fault_has_its_code() {
    let stack = Stack::new("cause-codes", &with_fate("mlflow", "config"));
    assert_cause(&up(&stack).code(1), "mlflow", "MLC102");
    for (fate, code) in [("crash", "MLC103"), ("image", "MLC101")] {
        stack.configure(&with_fate("mlflow", fate));
        assert_cause(&up(&stack).code(1), "mlflow", code);
    }
    stack.configure(&format!("{WITH_MLFLOW}values: {{mlflow: {{resources: {{requests: {{cpu: \"1000\"}}}}}}}}\n"));
    assert_cause(&up(&stack).code(1), "mlflow", "MLC105");
    stack.run(&["status", "--output", "json"]).code(4);
    stack.configure(WITH_MLFLOW);
    let mut actions = up(&stack).code(0).actions();
    assert!(actions.remove("mlflow").is_some());
    assert_only(&actions, "unchanged", &[]);
    stack.up_is_unchanged();

    let quota = ["create", "quota", "none", "--hard=pods=0", "--namespace", &stack.system()];
    kubectl(quota);
    kubectl(["delete", "deployment/mlflow", "--namespace", &stack.system()]);
    assert_cause(&up(&stack).code(1), "mlflow", "MLC108");
    kubectl(["delete", "quota/none", "--namespace", &stack.system()]);
    up(&stack).code(0);
    stack.up_is_unchanged();
}

/// A stack of two releases of one Deployment each. The second one comes behind the first and is `pending`: it holds the run open.
fn early_and_last(name: &str) -> Stack {
    let external = "objectStore: {provider: external, external: {endpoint: http://s3.example.com}}\n\
        database: {provider: external, external: {host: db.example.com}}\n";
    let need = "needs: [{release: early, until: ready, because: it comes behind it}]";
    let release = |name: &str| format!("namespace: dev, chart: {{name: {name}, path: {name}}}");
    let releases =
        [format!("{{name: early, {}}}", release("early")), format!("{{name: last, {}, {need}}}", release("last"))];
    let stack = Stack::new(name, &format!("{SMALL}{external}releases: [{}]\n", releases.join(", ")));
    for (release, fate) in [("early", "late-crash"), ("last", "pending")] {
        let folder = stack.work().join(release);
        fs::create_dir_all(folder.join("templates")).unwrap();
        fs::write(folder.join("Chart.yaml"), format!("apiVersion: v2\nname: {release}\nversion: 0.1.0\n")).unwrap();
        let labels = json!({"app": release});
        let deployment = json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": release},
            "spec": {
                "selector": {"matchLabels": labels},
                "template": {
                    "metadata": {"labels": labels, "annotations": {"simulate.mlopsctl.dev/pod": fate}},
                    "spec": {"containers": [{"name": "main", "image": "localhost/none:1"}]},
                },
            },
        });
        fs::write(folder.join("templates/deployment.yaml"), deployment.to_string()).unwrap();
    }
    stack
}

/// Waits until `early`, which was ready, has crashed, and lets `last` get ready.
fn crash_and_go_on(stack: &Stack) {
    let state = "jsonpath={.items[*].status.containerStatuses[*].state.waiting.reason}";
    let of = |release: &str| kubectl(["get", "pods", "-l", &format!("app={release}"), "-n", &stack.dev(), "-o", state]);
    until("`early` has crashed, and `last` has a pod", || {
        of("early") == "CrashLoopBackOff" && of("last") == "ContainerCreating"
    });
    kubectl(["annotate", "pods", "-l", "app=last", "-n", &stack.dev(), "simulate.mlopsctl.dev/pod-"]);
}

/// Returns what the events say of the ends of a release.
fn ends<'a>(events: &'a [Value], release: &str) -> Vec<&'a str> {
    let of_release = |event: &&Value| event["event"] == "finished" && event["release"] == release;
    events.iter().filter(of_release).map(|event| event["action"].as_str().unwrap()).collect()
}

/// A container without a readiness probe is ready as soon as it runs, so that its release is done before its first crash.
#[test]
fn what_crashes_before_the_end_of_the_run_is_not_called_installed() {
    let stack = early_and_last("late-crash");
    let child = stack.spawn(&["up", "--yes", "--grace", "2", "--output", "ndjson"]);
    crash_and_go_on(&stack);
    let ended = stack.wait(child).code(1);
    let events = ended.json_lines();
    assert_eq!(ends(&events, "early"), ["installed", "failed"], "{ended}");
    assert_eq!(ends(&events, "last"), ["installed"], "{ended}");
    let steps = events.last().unwrap()["steps"].as_array().unwrap();
    let step = steps.iter().find(|step| step["release"] == "early").unwrap();
    assert_eq!((&step["action"], &step["cause"]["code"]), (&json!("failed"), &json!("MLC103")), "{ended}");
}

/// One that is mended meanwhile is installed after all, once it has been ready for as long as a crash may last.
#[test]
fn what_crashed_and_is_ready_again_is_installed() {
    let stack = early_and_last("relapse");
    let mut child = stack.spawn(&["up", "--yes", "--grace", "10", "--output", "ndjson"]);
    crash_and_go_on(&stack);
    let (mut events, mut mended): (Vec<Value>, Option<Instant>) = (Vec::new(), None);
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let event: Value = serde_json::from_str(&line.unwrap()).unwrap();
        if mended.is_none() && event["release"] == "early" && event["cause"]["code"] == "MLC103" {
            let path = "/spec/template/metadata/annotations/simulate.mlopsctl.dev~1pod";
            let patch = json!([{"op": "remove", "path": path}]).to_string();
            kubectl(["patch", "deployment/early", "-n", &stack.dev(), "--type=json", "--patch", &patch]);
            mended = Some(Instant::now());
        }
        events.push(event);
    }
    assert!(child.wait().unwrap().success(), "{events:#?}");
    assert_eq!(ends(&events, "early"), ["installed", "installed"], "{events:#?}");
    assert!(mended.unwrap().elapsed() >= Duration::from_secs(10), "{events:#?}");
}
