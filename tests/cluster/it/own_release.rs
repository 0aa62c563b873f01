//! Releases of the user's own beside those of the stack.

use std::fs;

use crate::cluster::objects;
use crate::stack::{SMALL, Stack, assert_only};

const RELEASE: &str = "
releases:
  - name: reports
    title: nightly reports
    namespace: dev
    chart: {name: reports, path: charts/reports}
    needs: [{release: pg, until: ready, because: it reads the database}]
values: {reports: {replicas: 2}}
";

const DEPLOYMENT: &str = "apiVersion: apps/v1
kind: Deployment
metadata: {name: reports}
spec:
  replicas: {{ .Values.replicas }}
  selector: {matchLabels: {app: reports}}
  template:
    metadata: {labels: {app: reports}}
    spec:
      containers: [{name: main, image: docker.io/library/busybox:1.37}]
";

#[test]
fn a_chart_beside_the_file_is_installed_after_what_it_needs() {
    let stack = Stack::new("own", &format!("{SMALL}{RELEASE}"));
    let chart = stack.work().join("charts/reports");
    fs::create_dir_all(chart.join("templates")).unwrap();
    fs::write(chart.join("Chart.yaml"), "apiVersion: v2\nname: reports\nversion: 0.1.0\n").unwrap();
    fs::write(chart.join("values.yaml"), "replicas: 1\n").unwrap();
    fs::write(chart.join("templates/deployment.yaml"), DEPLOYMENT).unwrap();

    let ended = stack.run(&["up", "--yes", "--output", "ndjson"]).code(0);
    let events = ended.json_lines();
    let position = |kind: &str, release: &str| {
        events.iter().position(|event| event["event"] == kind && event["release"] == release).unwrap()
    };
    assert!(position("finished", "pg") < position("started", "reports"), "{ended}");
    let found = objects(["deployment/reports", "--namespace", &stack.dev()]);
    assert_eq!(found[0]["status"]["readyReplicas"], 2, "{found:?}");
    stack.up_is_unchanged();

    fs::write(chart.join("templates/deployment.yaml"), DEPLOYMENT.replace("busybox:1.37", "busybox:1.38")).unwrap();
    assert_only(&stack.up(), "upgraded", &["reports"]);
    stack.configure(SMALL);
    assert_only(&stack.up(), "removed", &["reports"]);
    assert!(objects(["deployment/reports", "--namespace", &stack.dev()]).is_empty());
    stack.up_is_unchanged();
}
