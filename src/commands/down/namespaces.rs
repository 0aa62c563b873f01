//! The namespaces, last: only those that we created and that are empty.

use std::time::{Duration, Instant};

use super::kept_object;
use crate::cluster::{CREATED_LABEL, ClusterState, STACK_LABEL};
use crate::error::CommandError;
use crate::exec::{ExecError, Invocation, Runner, Tool};
use crate::kubectl;
use crate::report::Kept;

/// How long pods may take to end before a namespace counts as in use.
const DRAIN_LIMIT: Duration = Duration::from_secs(90);

/// Deletes the namespaces that we created and that are empty. Returns a sentence for each that stays.
pub(super) async fn delete_namespaces(
    runner: &Runner,
    state: &ClusterState,
    kept_before: &[Kept],
) -> Result<Vec<Kept>, CommandError> {
    let mut kept: Vec<Kept> = Vec::new();
    if state.namespaces.is_empty() {
        return Ok(kept);
    }
    for (name, namespace) in &state.namespaces {
        if !namespace.labels.contains_key(CREATED_LABEL) {
            if namespace.labels.contains_key(STACK_LABEL) && kept_before.iter().all(|it| it.namespace != *name) {
                give_back(runner, name).await?;
            }
            kept.push(kept_object("Namespace", "", name, "it was there before"));
            continue;
        }
        let left = drain(runner, name).await?;
        if let Some(object) = left.first() {
            let more = if left.len() > 1 { format!(" and {} more", left.len() - 1) } else { String::new() };
            kept.push(kept_object("Namespace", "", name, &format!("it holds {object}{more}")));
        } else {
            runner.run(kubectl::delete([format!("namespace/{name}")], None)).await?;
        }
    }
    for name in
        state.namespaces.keys().filter(|name| !kept.iter().any(|it| it.kind == "Namespace" && it.name == **name))
    {
        let wait =
            Invocation::new(Tool::Kubectl, ["wait", "--for=delete", "--timeout=60s"]).arg(format!("namespace/{name}"));
        // A namespace that takes longer is on its way; the next `up` says so if it still is.
        let _ = runner.run(wait.timeout(DRAIN_LIMIT)).await;
    }
    Ok(kept)
}

/// Takes our marks off a namespace, so that another stack may use it.
async fn give_back(runner: &Runner, namespace: &str) -> Result<(), ExecError> {
    runner.run(kubectl::delete(["lease/mlopsctl"], Some(namespace))).await?;
    let label = format!("{STACK_LABEL}-");
    runner.run(Invocation::new(Tool::Kubectl, ["label", "namespace", namespace, &label])).await?;
    Ok(())
}

/// Returns every kind of object that a namespace may hold.
async fn kinds(runner: &Runner) -> Result<String, ExecError> {
    let call = Invocation::new(Tool::Kubectl, ["api-resources", "--namespaced", "--verbs=list,delete", "-o", "name"]);
    let listed = runner.run(call).await?.stdout;
    Ok(listed.lines().filter(|kind| !kind.starts_with("events")).collect::<Vec<_>>().join(","))
}

/// Waits for what is on its way out of a namespace and returns what stays.
async fn drain(runner: &Runner, namespace: &str) -> Result<Vec<String>, ExecError> {
    /// What every namespace has, and our own Lease.
    const USUAL: &[&str] =
        &["configmap/kube-root-ca.crt", "serviceaccount/default", "lease.coordination.k8s.io/mlopsctl"];
    let started = Instant::now();
    let mut kinds = kinds(runner).await?;
    loop {
        let call = Invocation::new(
            Tool::Kubectl,
            ["get", &kinds, "--namespace", namespace, "--ignore-not-found", "-o", "name"],
        );
        let output = match runner.run(call).await {
            // Its CRD was just deleted, by us or by somebody else.
            Err(error)
                if error.stderr().contains("the server doesn't have a resource type")
                    && started.elapsed() < DRAIN_LIMIT =>
            {
                tokio::time::sleep(Duration::from_millis(500)).await;
                kinds = self::kinds(runner).await?;
                continue;
            }
            other => other?,
        };
        let left: Vec<String> = output.stdout.lines().filter(|line| !USUAL.contains(line)).map(str::to_owned).collect();
        // Pods and what follows an owner take a moment; claims and Secrets that are kept do not go.
        let leaving = left.iter().any(|line| {
            ["pod/", "replicaset", "endpoint", "controllerrevision", "job"].iter().any(|kind| line.starts_with(kind))
        });
        if left.is_empty() || !leaving || started.elapsed() > DRAIN_LIMIT {
            return Ok(left);
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}
