//! kubectl's arguments and what it answers.

use std::time::Duration;

use secrecy::SecretString;
use serde_json::Value;

use crate::exec::{ExecError, Invocation, Stdin, Tool};

/// The field manager of everything that `mlopsctl` applies by itself.
pub const FIELD_MANAGER: &str = "mlopsctl";

/// For objects whose fields are right because we made them, or are checked by a server-side apply anyway: kubectl would fetch the
/// schemas of their kinds only to learn that the API server can check them.
const OURS: &str = "--validate=ignore";

/// Returns a call that reads objects as JSON. Missing ones are left out.
pub fn get<S: Into<String>>(resources: impl IntoIterator<Item = S>, namespace: Option<&str>) -> Invocation {
    let call = Invocation::new(Tool::Kubectl, ["get", "--ignore-not-found", "-o", "json"]);
    in_namespace(call, namespace).args(resources)
}

/// Returns a call that reads only kinds, names and labels in all namespaces, as the server's table: a thousandth of the objects'
/// size. [`label_rows`] reads what it prints.
pub fn get_labels(resources: &str) -> Invocation {
    Invocation::new(
        Tool::Kubectl,
        ["get", resources, "--all-namespaces", "--show-kind", "--show-labels", "--no-headers"],
    )
}

/// Returns a call that applies objects server-side as [`FIELD_MANAGER`].
pub fn apply(objects: &[Value], force: bool) -> Invocation {
    let call =
        Invocation::new(Tool::Kubectl, ["apply", "--server-side", "--field-manager", FIELD_MANAGER, "-f", "-", OURS]);
    let call = if force { call.arg("--force-conflicts") } else { call };
    call.stdin(Stdin::Plain(list(objects)))
}

/// Returns a call that asks what would become of objects of one namespace if `manager` applied them. Nothing is changed.
pub fn dry_run(objects: &[Value], namespace: &str, manager: &str, force: bool) -> Invocation {
    let call =
        Invocation::new(Tool::Kubectl, ["apply", "--server-side", "--dry-run=server", "--field-manager", manager])
            .args(["--namespace", namespace, "-o", "json", "-f", "-", OURS]);
    let call = if force { call.arg("--force-conflicts") } else { call };
    // A chart may render Secrets.
    call.stdin(Stdin::Secret(SecretString::from(list(objects))))
}

/// Returns a call that reads the live objects of one namespace that have the names of these. Missing ones are left out.
pub fn get_objects(objects: &[Value], namespace: &str) -> Invocation {
    Invocation::new(Tool::Kubectl, ["get", "--ignore-not-found", "--namespace", namespace, "-o", "json", "-f", "-"])
        .stdin(Stdin::Secret(SecretString::from(list(objects))))
}

/// Returns a call that creates objects; one that exists is an error, the others are made all the same. Never `apply` for
/// Secrets, whose annotation would keep the content.
pub fn create(objects: &[Value]) -> Invocation {
    let text = if let [object] = objects { object.to_string() } else { list(objects) };
    Invocation::new(Tool::Kubectl, ["create", "-f", "-", "-o", "json", OURS])
        .stdin(Stdin::Secret(SecretString::from(text)))
}

/// Returns a call that replaces one object; its `resourceVersion` guards against another writer.
pub fn replace(object: &Value, namespace: &str) -> Invocation {
    Invocation::new(Tool::Kubectl, ["replace", "-f", "-", "-o", "json", "--namespace", namespace, OURS])
        .stdin(Stdin::Secret(SecretString::from(object.to_string())))
}

/// Returns a call that replaces objects, whoever wrote them last.
pub fn replace_all(objects: &[Value]) -> Invocation {
    Invocation::new(Tool::Kubectl, ["replace", "-f", "-", OURS]).stdin(Stdin::Secret(SecretString::from(list(objects))))
}

/// Returns a call that prints the names of a Secret's keys, without their values.
pub fn secret_keys(name: &str, namespace: &str) -> Invocation {
    let template = "{{range $key, $value := .data}}{{$key}} {{end}}";
    Invocation::new(
        Tool::Kubectl,
        ["get", "secret", name, "--namespace", namespace, "-o", "go-template", "--template", template],
    )
}

/// Returns a call that deletes objects, each as `kind/name`, without waiting for finalizers.
pub fn delete<S: Into<String>>(objects: impl IntoIterator<Item = S>, namespace: Option<&str>) -> Invocation {
    let call = Invocation::new(Tool::Kubectl, ["delete", "--ignore-not-found", "--wait=false"]);
    in_namespace(call, namespace).args(objects)
}

/// Returns a call that prints the logs of the steps of Argo workflows, each line behind its pod's name.
pub fn workflow_logs(selector: &str, namespace: &str, follow: bool) -> Invocation {
    let call = Invocation::new(Tool::Kubectl, ["logs", "--namespace", namespace, "--selector", selector])
        .args(["--container", "main", "--prefix", "--tail", "-1", "--max-log-requests", "50", "--ignore-errors"])
        .timeout(Duration::MAX);
    if follow { call.arg("--follow") } else { call }
}

/// Returns a call that prints the last lines of all containers of pods.
pub fn last_logs(selector: &str, namespace: &str, lines: u16) -> Invocation {
    Invocation::new(Tool::Kubectl, ["logs", "--namespace", namespace, "--selector", selector]).args([
        "--all-containers",
        "--tail",
        &lines.to_string(),
        "--ignore-errors",
    ])
}

/// Returns a call that prints the last lines of a container, or of all containers of a Job (`job/NAME`). `previous`: of the one
/// that ended before.
pub fn log_tail(target: &str, container: Option<&str>, namespace: &str, lines: u16, previous: bool) -> Invocation {
    let call = Invocation::new(Tool::Kubectl, ["logs", target, "--namespace", namespace, "--tail", &lines.to_string()]);
    let call = match container {
        Some(container) => call.args(["--container", container]),
        None => call.arg("--all-containers"),
    };
    let call = if previous { call.arg("--previous") } else { call };
    call.timeout(Duration::from_secs(10))
}

/// Returns a call that runs a command in a container of a pod of `target`, such as `statefulset/NAME`.
pub fn exec(target: &str, container: Option<&str>, namespace: &str, command: &[String], limit: Duration) -> Invocation {
    let call =
        Invocation::new(Tool::Kubectl, ["exec", target, "--namespace", namespace, "--pod-running-timeout", "1s"]);
    let call = match container {
        Some(container) => call.args(["--container", container]),
        None => call,
    };
    call.arg("--").args(command).timeout(limit)
}

/// Returns a call that prints columns of objects, a line for each, `<none>` for what an object does not have.
pub fn columns(resources: &str, columns: &[&str]) -> Invocation {
    let columns: Vec<String> = columns.iter().enumerate().map(|(number, path)| format!("{number}:{path}")).collect();
    Invocation::new(Tool::Kubectl, ["get", resources, "--all-namespaces", "--ignore-not-found", "--no-headers"])
        .args(["-o".to_owned(), format!("custom-columns={}", columns.join(","))])
}

/// Returns the values of a line of [`columns`].
pub fn column_values(line: &str) -> Vec<Option<&str>> {
    line.split_whitespace().map(|value| Some(value).filter(|value| *value != "<none>")).collect()
}

/// Returns a call that opens a local port, chosen by the system, to one of a Service.
pub fn port_forward(namespace: &str, service: &str, port: u16) -> Invocation {
    let target = format!("service/{service}");
    Invocation::new(Tool::Kubectl, ["port-forward", "--namespace", namespace, &target, &format!(":{port}")])
        .args(["--address", "127.0.0.1", "--pod-running-timeout", "5s"])
        .isolated()
}

/// Returns the objects of an answer: one object, a list, or nothing.
pub fn items(stdout: &str) -> Vec<Value> {
    let mut answer: Value = serde_json::from_str(stdout).unwrap_or_default();
    match answer.get_mut("items").map(Value::take) {
        Some(Value::Array(items)) => items,
        _ if answer.is_object() => vec![answer],
        _ => Vec::new(),
    }
}

/// One row of [`get_labels`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelRow {
    /// The kind in small letters, without its group.
    pub kind: String,
    /// The namespace; empty for cluster-scoped objects.
    pub namespace: String,
    /// The name.
    pub name: String,
    /// The labels.
    pub labels: std::collections::BTreeMap<String, String>,
}

/// Reads the tables of [`get_labels`]. Only the rows of namespaced objects begin with a namespace, before the kind with the name.
pub fn label_rows(stdout: &str) -> Vec<LabelRow> {
    let row = |line: &str| {
        let mut columns = line.split_whitespace();
        let first = columns.next()?;
        let (namespace, object) = if first.contains('/') { ("", first) } else { (first, columns.next()?) };
        let (kind, name) = object.split_once('/')?;
        let labels = columns.last().unwrap_or_default().split(',').filter_map(|label| label.split_once('='));
        Some(LabelRow {
            kind: kind.split('.').next().unwrap_or_default().to_owned(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            labels: labels.map(|(key, value)| (key.into(), value.into())).collect(),
        })
    };
    stdout.lines().filter_map(row).collect()
}

/// Says whether the server refused only because objects exist.
pub fn already_exists(error: &ExecError) -> bool {
    let mut lines = error.stderr().lines().filter(|line| line.starts_with("Error")).peekable();
    lines.peek().is_some() && lines.all(|line| line.contains("AlreadyExists"))
}

/// Says whether the server refused because somebody else wrote in between.
pub fn conflict(error: &ExecError) -> bool {
    error.stderr().contains("Conflict") || error.stderr().contains("the object has been modified")
}

fn in_namespace(call: Invocation, namespace: Option<&str>) -> Invocation {
    match namespace {
        Some(namespace) => call.args(["--namespace", namespace]),
        None => call,
    }
}

fn list(objects: &[Value]) -> String {
    serde_json::json!({"apiVersion": "v1", "kind": "List", "items": objects}).to_string()
}

#[cfg(test)]
mod tests {
    use super::{LabelRow, label_rows};

    #[test]
    fn tables_of_several_kinds_are_read() {
        let text = "\
default       secret/plain                  Opaque               1      5d    <none>
mlops-system  secret/sh.helm.release.v1.pg.v2  helm.sh/release.v1   1      5d    name=pg,owner=helm

mlops-prod  persistentvolumeclaim/data-0  Bound  pvc-1  1Gi  RWO,ROX  local-path  <unset>  5d  a.b/c=

customresourcedefinition.apiextensions.k8s.io/workflows.argoproj.io  2026-01-01T00:00:00Z  x=y
";
        let row = |kind: &str, namespace: &str, name: &str, labels: &[(&str, &str)]| LabelRow {
            kind: kind.into(),
            namespace: namespace.into(),
            name: name.into(),
            labels: labels.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect(),
        };
        assert_eq!(
            label_rows(text),
            [
                row("secret", "default", "plain", &[]),
                row("secret", "mlops-system", "sh.helm.release.v1.pg.v2", &[("name", "pg"), ("owner", "helm")]),
                row("persistentvolumeclaim", "mlops-prod", "data-0", &[("a.b/c", "")]),
                row("customresourcedefinition", "", "workflows.argoproj.io", &[("x", "y")]),
            ]
        );
    }
}
