//! Custom resources on their way out, while somebody is there to take their finalizers off.

use std::time::{Duration, Instant};

use super::finalizers::Held;
use super::namespaces::{HELD_LIMIT, PATIENCE};
use crate::cluster::STACK_LABEL;
use crate::exec::{ExecError, Invocation, Runner, Tool};
use crate::kubectl;
use crate::report::{Event, Events};

/// Deletes our own objects of the kinds of these CRDs, such as the templates of `pipeline run`, and waits until they are gone.
/// Returns those that are held all the same. Workflows stay: they are the user's.
pub(super) async fn delete_own(
    runner: &Runner,
    stack: &str,
    crds: &[String],
    events: &Events,
) -> Result<Vec<Held>, ExecError> {
    let selector = format!("{STACK_LABEL}={stack}");
    let mut crds = crds.to_vec();
    while !crds.is_empty() {
        let call = kubectl::delete([crds.join(",")], None).args(["--all-namespaces", "--selector", &selector]);
        match runner.run(call).await {
            Err(error) if is_unknown_kind(&error) => {
                // Of a kind that is not served there are none.
                let served = Invocation::new(Tool::Kubectl, ["api-resources", "--verbs=delete", "-o", "name"]);
                let served = runner.run(served).await?.stdout;
                let before = crds.len();
                crds.retain(|name| served.lines().any(|line| line == name));
                if crds.len() == before {
                    break;
                }
            }
            output if output.as_ref().is_ok_and(|output| output.stdout.trim().is_empty()) => break,
            output => {
                output?;
                return wait(runner, &crds, &[], events).await;
            }
        }
    }
    Ok(Vec::new())
}

/// Waits until no object of these kinds is held by a finalizer. Returns those that are held for too long; for those of `known`
/// nobody waits again.
pub(super) async fn wait(
    runner: &Runner,
    crds: &[String],
    known: &[Held],
    events: &Events,
) -> Result<Vec<Held>, ExecError> {
    const LEAVING: &[&str] =
        &[".kind", ".metadata.namespace", ".metadata.name", ".metadata.deletionTimestamp", ".metadata.finalizers[*]"];
    let started = Instant::now();
    let mut told: Vec<Held> = Vec::new();
    loop {
        let output = match runner.run(kubectl::columns(&crds.join(","), LEAVING)).await {
            Err(error) if is_unknown_kind(&error) => return Ok(Vec::new()),
            output => output?,
        };
        let held = output.stdout.lines().filter_map(held).filter(|it| !known.contains(it));
        let held: Vec<Held> = held.collect();
        if started.elapsed() > PATIENCE {
            for it in held.iter().filter(|it| !told.contains(it)) {
                events.send(Event::Note(it.text()));
            }
            told.clone_from(&held);
        }
        if held.is_empty() || started.elapsed() > HELD_LIMIT || runner.is_interrupted() {
            return Ok(held);
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}

/// Reads an object that is deleted and has finalizers.
fn held(line: &str) -> Option<Held> {
    let values = kubectl::column_values(line);
    let [Some(kind), namespace, Some(name), Some(_), Some(finalizers)] = values[..] else { return None };
    Some(Held {
        object: format!("{}/{name}", kind.to_lowercase()),
        namespace: namespace.unwrap_or_default().to_owned(),
        finalizers: finalizers.split(',').map(str::to_owned).collect(),
    })
}

/// Says whether the server does not serve a kind, or not any more.
pub(super) fn is_unknown_kind(error: &ExecError) -> bool {
    error.stderr().contains("the server doesn't have a resource type")
}

#[cfg(test)]
mod tests {
    use super::held;

    #[test]
    fn only_what_is_deleted_and_has_finalizers_is_held() {
        let object = |line: &str| held(line).map(|it| (it.object, it.namespace, it.finalizers.len()));
        let deleted = "Workflow  dev  train  2026-01-01T00:00:00Z  a.example/x,b.example/y";
        assert_eq!(object(deleted), Some(("workflow/train".into(), "dev".into(), 2)));
        assert_eq!(object("Workflow  dev  train  2026-01-01T00:00:00Z  <none>"), None);
        assert_eq!(object("Workflow  dev  train  <none>  a.example/x"), None);
        assert_eq!(object("Cluster  <none>  wide  2026-01-01T00:00:00Z  a.example/x").unwrap().1, "");
    }
}
