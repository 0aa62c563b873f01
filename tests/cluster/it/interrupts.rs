//! Runs that are cut off at any moment: the next one completes.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::Child;
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::Value;

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
    // A `down` that was killed may have deleted a namespace, and `up` refuses one that is on its way out.
    let leaving = |name: &String| {
        objects([&format!("namespace/{name}")[..]]).iter().any(|it| !it["metadata"]["deletionTimestamp"].is_null())
    };
    let started = Instant::now();
    while stack.namespaces().iter().any(leaving) {
        assert!(started.elapsed() < Duration::from_mins(5), "a namespace does not go");
        sleep(Duration::from_millis(500));
    }
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

/// The commands that are cut off, in turns.
const COMMANDS: [&str; 4] = ["up", "rollback", "upgrade", "down"];

/// The content of our Secrets by namespace and name, and the volume behind each claim.
type Data = (BTreeMap<(String, String), Value>, Vec<(Value, Value)>);

/// Returns what must outlive every cut.
fn data(stack: &Stack) -> Data {
    let claims = objects(["persistentvolumeclaims", "--namespace", &stack.system()]);
    let volume = |claim: &Value| (claim["metadata"]["name"].clone(), claim["spec"]["volumeName"].clone());
    (stack.secrets(), claims.iter().map(volume).collect())
}

#[test]
fn kill_9_at_any_moment_leaves_nothing_that_the_next_run_cannot_heal() {
    let number = |name: &str| variable(name).map(|text| text.to_str().unwrap().parse::<u64>().unwrap());
    let seed =
        number("MLOPSCTL_TEST_SEED").unwrap_or_else(|| SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs());
    let kills = number("MLOPSCTL_TEST_KILLS").unwrap_or(COMMANDS.len() as u64);
    println!("MLOPSCTL_TEST_SEED={seed} MLOPSCTL_TEST_KILLS={kills}");
    let mut random = StdRng::seed_from_u64(seed);
    let stack = Stack::new("kill", WITH_MLFLOW);
    let mut kept = None;
    for (round, command) in (0..kills).zip(COMMANDS.into_iter().cycle()) {
        let label = format!("podLabels: {{round: r{round}}}");
        stack
            .configure(&format!("{WITH_MLFLOW}values: {{minio: {{{label}}}, pg: {{{label}}}, mlflow: {{{label}}}}}\n"));
        if command == "rollback" {
            completes(&stack);
        }
        let delay = Duration::from_millis(random.random_range(0..5000));
        let before = stack.processes("helm").len();
        let child = stack.spawn(&[command, "--yes"]);
        let what = ["mlopsctl and helm", "helm", "mlopsctl"][random.random_range(0..3)];
        println!("round {round}: kill -9 of {what} after {delay:?} of {command}");
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
        let found = data(&stack);
        assert_eq!(*kept.get_or_insert_with(|| found.clone()), found, "round {round}");
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

/// Writes a chart of [`HOOK`] beside the file of a stack, and returns its folder.
pub(crate) fn held_chart(stack: &Stack) -> PathBuf {
    let chart = stack.work().join("charts/held");
    fs::create_dir_all(chart.join("templates")).unwrap();
    fs::write(chart.join("Chart.yaml"), "apiVersion: v2\nname: held\nversion: 0.1.0\n").unwrap();
    fs::write(chart.join("values.yaml"), "round: ''\nheld: false\n").unwrap();
    fs::write(chart.join("templates/job.yaml"), HOOK).unwrap();
    chart
}

#[test]
fn a_release_that_helm_left_pending_is_recovered() {
    let stack = Stack::new("pending", SMALL);
    held_chart(&stack);
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

/// The volume of a chart that has it in its manifest, where helm deletes it with the release.
const CLAIM: &str = r"apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: held-data, labels: {app.kubernetes.io/instance: held}}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: held}
spec:
  selector: {matchLabels: {app: held}}
  template:
    metadata: {labels: {app: held}}
    spec:
      containers: [{name: main, image: docker.io/library/busybox:1.37, volumeMounts: [{name: data, mountPath: /data}]}]
      volumes: [{name: data, persistentVolumeClaim: {claimName: held-data}}]
";

#[test]
fn a_first_install_that_was_cut_off_keeps_the_volume_that_it_made() {
    let stack = Stack::new("pending-data", SMALL);
    let chart = held_chart(&stack);
    fs::write(chart.join("templates/data.yaml"), CLAIM).unwrap();
    let configure = |held: bool| {
        let release = "releases: [{name: held, chart: {name: held, path: charts/held}}]";
        stack.configure(&format!("{SMALL}{release}\nvalues: {{held: {{held: {held}}}}}\n"));
    };
    let claim = || objects(["persistentvolumeclaim/held-data", "--namespace", &stack.system()])[0].clone();
    configure(true);
    kill_in(&stack, "pending-install");
    let started = Instant::now();
    while claim()["status"]["phase"] != "Bound" {
        assert!(started.elapsed() < Duration::from_mins(5), "{}", claim());
    }
    let before = claim()["metadata"]["uid"].clone();
    configure(false);
    let plan = stack.run(&["plan", "--summary"]).code(0);
    assert!(plan.stdout.contains("to save its volumes (held-data)"), "{plan}");
    assert_eq!(stack.up()["held"], "repaired");
    assert_eq!(claim()["metadata"]["uid"], before);
    stack.assert_deployed(&["held", "minio", "pg"]);
    stack.up_is_unchanged();
}

/// Kills the helms of a run once a release has this status, which it keeps then.
fn kill_in(stack: &Stack, status: &str) {
    let before = stack.processes("helm").len();
    let child = stack.spawn(&["up", "--yes"]);
    let selector = format!("owner=helm,name=held,status={status}");
    // The hook comes after all objects of the manifest.
    let held = || {
        let found = |args: &[&str]| !objects(args.iter().copied()).is_empty();
        found(&["secrets", "--namespace", &stack.system(), "--selector", &selector])
            && found(&["job/migrate", "--namespace", &stack.system()])
    };
    let started = Instant::now();
    while !held() {
        assert!(started.elapsed() < Duration::from_mins(5), "helm never came to {status}");
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
        let changes = |command: &str| ["upgrade", "rollback", "uninstall"].contains(&command);
        if let Some((id, _)) = processes.iter().rfind(|(_, command)| changes(command)) {
            return kill(id);
        }
    }
}

/// Sends SIGKILL; what it is for may have come to its end before.
fn kill(target: &str) {
    let _ = command("sh").args(["-c", &format!("kill -s KILL -- {target}")]).output();
}
