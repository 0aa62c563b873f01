//! Runs that are cut off at any moment: the next one completes.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::Child;
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use crate::cluster::{command, objects, variable};
use crate::stack::{Ended, SMALL, Stack, WITH_MLFLOW, send};

const RELEASES: [&str; 3] = ["minio", "mlflow", "pg"];

/// Starts `up` and returns once the first release is under way.
fn up_until_started(stack: &Stack) -> Child {
    let mut child = stack.spawn(&["up", "--yes", "--output", "ndjson"]);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("\"started\"")), "no release was started");
    // What follows must not be held back by a full pipe.
    std::thread::spawn(move || lines.count());
    child
}

fn completes(stack: &Stack) {
    stack.up();
    stack.assert_deployed(&RELEASES);
    stack.up_is_unchanged();
}

#[test]
fn ctrl_c_ends_cleanly_and_the_next_run_completes() {
    let stack = Stack::new("ctrl-c", WITH_MLFLOW);
    for delay in [0, 400] {
        let child = up_until_started(&stack);
        sleep(Duration::from_millis(delay));
        // As the terminal does: to all of the process group, helm among them.
        send("INT", &format!("-{}", child.id()));
        let ended = stack.wait(child).code(130).says("interrupted");
        assert_nothing_pending(&stack, &ended);
        stack.configure(&format!(
            "{WITH_MLFLOW}values: {{minio: {{podLabels: {{a: b}}}}, pg: {{podLabels: {{a: b}}}}}}\n"
        ));
    }
    completes(&stack);
}

#[test]
fn sigterm_ends_cleanly_and_the_next_run_completes() {
    let stack = Stack::new("sigterm", WITH_MLFLOW);
    let child = up_until_started(&stack);
    send("TERM", &child.id().to_string());
    let ended = stack.wait(child).code(130).says("interrupted");
    assert_nothing_pending(&stack, &ended);
    completes(&stack);
}

fn assert_nothing_pending(stack: &Stack, ended: &Ended) {
    let pending: Vec<_> = stack.helm_list().into_iter().filter(|(_, status)| status.contains("ing")).collect();
    assert!(pending.is_empty(), "{pending:?} after {ended}");
}

#[test]
fn kill_9_at_any_moment_leaves_nothing_that_the_next_run_cannot_heal() {
    let number = |name: &str| variable(name).map(|text| text.to_str().unwrap().parse::<u64>().unwrap());
    let seed =
        number("MLOPSCTL_TEST_SEED").unwrap_or_else(|| SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs());
    let kills = number("MLOPSCTL_TEST_KILLS").unwrap_or(5);
    println!("MLOPSCTL_TEST_SEED={seed} MLOPSCTL_TEST_KILLS={kills}");
    let mut random = StdRng::seed_from_u64(seed);
    let stack = Stack::new("kill", WITH_MLFLOW);
    for round in 0..kills {
        let label = format!("podLabels: {{round: r{round}}}");
        stack
            .configure(&format!("{WITH_MLFLOW}values: {{minio: {{{label}}}, pg: {{{label}}}, mlflow: {{{label}}}}}\n"));
        let delay = Duration::from_millis(random.random_range(0..5000));
        let before = stack.processes("helm").len();
        let child = stack.spawn(&["up", "--yes"]);
        let what = match round % 3 {
            0 => "mlopsctl and helm",
            1 => "helm",
            _ => "mlopsctl",
        };
        println!("round {round}: kill -9 of {what} after {delay:?}");
        if what == "helm" {
            kill_a_helm(&stack, before, delay);
        } else {
            sleep(delay);
            let target = if what == "mlopsctl" { child.id().to_string() } else { format!("-{}", child.id()) };
            kill(&target);
        }
        let ended = stack.wait(child);
        assert!([0, 1, -9].contains(&ended.code), "{ended}");
        completes(&stack);
    }
}

/// A chart whose hook holds helm in the midst of its work for as long as its pod does not end.
const HOOK: &str = r#"apiVersion: batch/v1
kind: Job
metadata:
  name: migrate
  annotations: {helm.sh/hook: "post-install,post-upgrade", helm.sh/hook-delete-policy: "before-hook-creation,hook-succeeded"}
spec:
  template:
    metadata:
      annotations: {round: {{ .Values.round | quote }} {{- if .Values.held }}, simulate.mlopsctl.dev/pod: running{{ end }} }
    spec:
      restartPolicy: Never
      containers: [{name: main, image: docker.io/library/busybox:1.37}]
"#;

#[test]
fn a_release_that_helm_left_pending_is_recovered() {
    let stack = Stack::new("pending", SMALL);
    let chart = stack.work().join("charts/held");
    fs::create_dir_all(chart.join("templates")).unwrap();
    fs::write(chart.join("Chart.yaml"), "apiVersion: v2\nname: held\nversion: 0.1.0\n").unwrap();
    fs::write(chart.join("values.yaml"), "round: ''\nheld: false\n").unwrap();
    fs::write(chart.join("templates/job.yaml"), HOOK).unwrap();
    for (round, status) in ["pending-install", "pending-upgrade"].into_iter().enumerate() {
        let configure = |held: bool| {
            let release = "releases: [{name: held, chart: {name: held, path: charts/held}}]";
            stack.configure(&format!("{SMALL}{release}\nvalues: {{held: {{round: r{round}, held: {held}}}}}\n"));
        };
        configure(true);
        kill_in(&stack, status);
        configure(false);
        assert_eq!(stack.up()["held"], "repaired");
        stack.assert_deployed(&["held", "minio", "pg"]);
        stack.up_is_unchanged();
    }
}

/// Kills the helms of a run once a release has this status, which it keeps then.
fn kill_in(stack: &Stack, status: &str) {
    let before = stack.processes("helm").len();
    let child = stack.spawn(&["up", "--yes"]);
    let selector = format!("owner=helm,name=held,status={status}");
    let held = || !objects(["secrets", "--namespace", &stack.system(), "--selector", &selector]).is_empty();
    let started = Instant::now();
    while !held() {
        assert!(started.elapsed() < Duration::from_secs(60), "helm never came to {status}");
    }
    for (id, command) in stack.processes("helm").split_off(before) {
        if command == "upgrade" {
            kill(&id);
        }
    }
    stack.wait(child).code(1);
    assert_eq!(stack.helm_list()["held"], status);
}

/// Waits, then for the next helm of this run that changes something, and kills that.
fn kill_a_helm(stack: &Stack, before: usize, delay: Duration) {
    sleep(delay);
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(5) {
        let processes = stack.processes("helm").split_off(before);
        if let Some((id, _)) = processes.iter().rfind(|(_, command)| command == "upgrade") {
            return kill(id);
        }
    }
}

/// Sends SIGKILL; what it is for may have come to its end before.
fn kill(target: &str) {
    let _ = command("sh").args(["-c", &format!("kill -s KILL -- {target}")]).output();
}
