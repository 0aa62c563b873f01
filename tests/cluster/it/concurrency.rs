//! Two runs at the same time, and holders of the lease that are dead or alive.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::cluster::{PROJECT, helm, kubectl, kubectl_with, objects};
use crate::interrupts::held_chart;
use crate::proxy::Proxy;
use crate::stack::{SMALL, Stack, assert_only};

#[test]
fn of_two_runs_one_wins_and_nothing_is_left_pending() {
    let stack = Stack::new("two", SMALL);
    // The second time there is a Lease, which nobody holds.
    for revision in 1..=2 {
        stack.configure(&format!("{SMALL}values: {{minio: {{podLabels: {{round: r{revision}}}}}}}\n"));
        let both = [stack.spawn(&["up", "--yes"]), stack.spawn(&["up", "--yes"])].map(|child| stack.wait(child));
        assert!(both.iter().any(|ended| ended.code == 0), "{both:?}");
        for ended in both.into_iter().filter(|ended| ended.code != 0) {
            ended.code(1).says("another run is at work on this stack");
        }
        let history = helm(["history", "minio", "--namespace", &stack.system(), "--output", "json"]);
        assert_eq!(history.matches("\"revision\"").count(), revision, "{history}");
    }
    stack.assert_deployed(&["minio", "pg"]);
    stack.up_is_unchanged();
}

/// What the run that waits has planned is out of date when its turn comes.
#[test]
fn a_run_that_waited_looks_again() {
    let stack = Stack::new("waited", SMALL);
    stack.up();
    let system = stack.system();
    hold(&stack, "other-host/1/abc");
    kubectl(["delete", "statefulset/minio", "--namespace", &system]);
    let waiting = stack.spawn(&["up", "--yes", "--output", "json"]);
    std::thread::sleep(Duration::from_secs(3));
    let chart = Path::new(PROJECT).join("charts/postgresql");
    helm(["upgrade", "pg", chart.to_str().unwrap(), "-n", &system, "--reuse-values"]);
    let free = r#"{"spec":{"holderIdentity":""}}"#;
    kubectl(["patch", "lease/mlopsctl", "--type=merge", "-p", free, "--namespace", &system]);
    let ended = stack.wait(waiting).code(0).says("planning anew");
    assert_only(&ended.actions(), "repaired", &["minio", "pg"]);
    stack.up_is_unchanged();
}

#[test]
fn a_dead_holder_is_replaced_and_a_living_one_respected() {
    let stack = Stack::new("lease", SMALL);
    stack.up();
    hold(&stack, "other-host/1/abc");
    stack.configure(&format!("{SMALL}values: {{minio: {{podLabels: {{a: b}}}}}}\n"));
    let alive = AtomicBool::new(true);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for n in 0.. {
                if !alive.load(Ordering::SeqCst) {
                    return;
                }
                let patch =
                    json!({"spec": {"renewTime": format!("2020-01-01T00:00:{:02}.000000Z", n % 60)}}).to_string();
                kubectl(["patch", "lease/mlopsctl", "--type=merge", "-p", &patch, "--namespace", &stack.system()]);
                std::thread::sleep(Duration::from_secs(2));
            }
        });
        let refused = stack.run(&["up", "--yes", "--output", "json"]);
        alive.store(false, Ordering::SeqCst);
        refused.code(1).says("another run is at work on this stack: other-host/1/abc");
    });
    let taken = stack.run(&["up", "--yes", "--output", "json"]).code(0).says("other-host/1/abc");
    assert_only(&taken.actions(), "upgraded", &["minio"]);
    let lease = &objects(["lease/mlopsctl", "--namespace", &stack.system()])[0];
    assert_eq!(lease["spec"]["holderIdentity"], "", "{lease}");
}

/// helm is held by a hook until the Lease has run out; then the next release could start, and must not.
#[test]
fn a_run_that_loses_the_api_for_longer_than_its_lease_starts_nothing_more() {
    let stack = Stack::new("cut", SMALL);
    held_chart(&stack);
    let system = stack.system();
    let configure = |held: bool| {
        let release = |name: &str| format!("{{name: {name}, chart: {{name: held, path: charts/held}}");
        let (first, second) = (release("first"), release("second"));
        let need = "needs: [{release: first, until: applied, because: it comes later}]";
        let values = format!("values: {{first: {{held: {held}}}}}");
        stack.configure(&format!("{SMALL}releases: [{first}}}, {second}, {need}}}]\n{values}\n"));
    };
    configure(true);
    let proxy = Proxy::start(&stack.work());
    let mut up = stack.command(&["up", "--yes", "--output", "json"]);
    let child = up.env("KUBECONFIG", &proxy.kubeconfig).spawn().unwrap();
    let hook = || objects(["pods", "--namespace", &system, "--selector", "batch.kubernetes.io/job-name=migrate"]);
    let started = Instant::now();
    while hook().first().is_none_or(|pod| pod["status"]["phase"] != "Running") {
        assert!(started.elapsed() < Duration::from_mins(2), "the hook never ran");
        std::thread::sleep(Duration::from_millis(200));
    }
    proxy.stall(true);
    std::thread::sleep(Duration::from_secs(22));
    let pod = format!("pod/{}", hook()[0]["metadata"]["name"].as_str().unwrap());
    let ended = r#"{"status":{"phase":"Succeeded"}}"#;
    kubectl(["patch", &pod, "--namespace", &system, "--subresource=status", "--type=merge", "-p", ended]);
    proxy.stall(false);
    let ended = stack.wait(child).code(1).says("nothing more is started");
    assert_eq!(ended.actions()["second"], "skipped", "{ended}");
    configure(false);
    stack.up();
    stack.assert_deployed(&["first", "minio", "pg", "second"]);
    stack.up_is_unchanged();
}

/// Makes somebody hold the lease since long ago.
fn hold(stack: &Stack, holder: &str) {
    let time = "2020-01-01T00:00:00.000000Z";
    let spec = json!({"holderIdentity": holder, "leaseDurationSeconds": 15, "acquireTime": time, "renewTime": time});
    let lease = json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "mlopsctl"}, "spec": spec});
    kubectl_with(["replace", "--force", "-f", "-", "--namespace", &stack.system()], &lease);
}
