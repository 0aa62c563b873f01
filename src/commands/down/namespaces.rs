//! The namespaces, last: only those that we created and that are empty.

use std::time::{Duration, Instant};

use super::finalizers::Held;
use super::kept_object;
use crate::cluster::{CREATED_LABEL, ClusterState, STACK_LABEL};
use crate::error::CommandError;
use crate::exec::{ExecError, Invocation, Runner, Tool};
use crate::kubectl;
use crate::printer::{Printer, Tone};
use crate::report::Kept;

/// How long pods may take to end before a namespace counts as in use.
const DRAIN_LIMIT: Duration = Duration::from_secs(90);
/// How long an object may be held before it is said what holds it.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
/// How long a finalizer may hold the last objects that Kubernetes does not let go of by itself.
pub(super) const HELD_LIMIT: Duration = Duration::from_secs(20);

/// Deletes the namespaces that we created and that are empty. Returns a sentence for each that stays.
pub(super) async fn delete_namespaces(
    printer: Printer,
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
        let (left, held) = drain(printer, runner, name).await?;
        kept.extend(held.iter().map(Held::kept));
        if let Some(object) = left.first() {
            let more = if left.len() > 1 { format!(" and {} more", left.len() - 1) } else { String::new() };
            kept.push(kept_object("Namespace", "", name, &format!("it holds {object}{more}")));
        } else {
            runner.run(kubectl::delete([format!("namespace/{name}")], None)).await?;
        }
    }
    let mut late = Vec::new();
    for name in
        state.namespaces.keys().filter(|name| !kept.iter().any(|it| it.kind == "Namespace" && it.name == **name))
    {
        let wait =
            Invocation::new(Tool::Kubectl, ["wait", "--for=delete", "--timeout=60s"]).arg(format!("namespace/{name}"));
        if runner.run(wait.timeout(DRAIN_LIMIT)).await.is_err()
            && let Some(why) = terminating(runner, name).await?
        {
            late.push(kept_object("Namespace", "", name, &format!("it is on its way out: {why}")));
        }
    }
    kept.extend(late);
    Ok(kept)
}

/// Returns what Kubernetes says of a namespace that does not go; none where it is gone.
async fn terminating(runner: &Runner, namespace: &str) -> Result<Option<String>, ExecError> {
    let output = runner.run(kubectl::get([format!("namespace/{namespace}")], None)).await?;
    let found = kubectl::items(&output.stdout);
    let conditions = found.iter().flat_map(|it| it["status"]["conditions"].as_array().into_iter().flatten());
    let words: Vec<&str> =
        conditions.filter(|it| it["status"] == "True").filter_map(|it| it["message"].as_str()).collect();
    Ok(found.first().map(|_| if words.is_empty() { "Kubernetes does not say why".into() } else { words.join("; ") }))
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

/// Waits for what is on its way out of a namespace. Returns what stays, and what of it is held.
async fn drain(printer: Printer, runner: &Runner, namespace: &str) -> Result<(Vec<String>, Vec<Held>), ExecError> {
    let started = Instant::now();
    let mut kinds = kinds(runner).await?;
    let mut told: Vec<Held> = Vec::new();
    loop {
        let call = Invocation::new(Tool::Kubectl, ["get", &kinds, "--namespace", namespace, "--ignore-not-found"]);
        let output = match runner.run(call.args(["-o", LEFT])).await {
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
        let left = left(&output.stdout);
        let leaving: Vec<&Left<'_>> = left.iter().filter(|object| object.is_leaving(&left)).collect();
        let held: Vec<Held> = leaving.iter().filter_map(|object| object.held(namespace)).collect();
        if started.elapsed() > PATIENCE {
            for it in held.iter().filter(|it| !told.contains(it)) {
                printer.say(&format!("{} {}", printer.paint(Tone::Warn, "waiting:"), it.text()));
            }
            told.clone_from(&held);
        }
        let only_held = leaving.iter().all(|object| object.held(namespace).is_some_and(|it| !it.heals()));
        let limit = if only_held { HELD_LIMIT } else { DRAIN_LIMIT };
        if leaving.is_empty() || started.elapsed() > limit || runner.is_interrupted() {
            let stuck = held.into_iter().filter(|it| !it.heals()).collect();
            return Ok((left.into_iter().map(|object| object.name).collect(), stuck));
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// An object of a namespace that is to be deleted.
struct Left<'a> {
    /// Its kind and name, as kubectl takes them.
    name: String,
    uid: &'a str,
    deleted: bool,
    finalizers: Vec<&'a str>,
    owners: Vec<&'a str>,
}

/// Prints an object a line: kind and name, uid, `-` or `deleted`, its finalizers with a comma behind each, the uids of its
/// owners.
const LEFT: &str = r#"go-template={{range .items}}{{.kind}}/{{.metadata.name}} {{.metadata.uid}} {{if .metadata.deletionTimestamp}}deleted{{else}}-{{end}} {{range .metadata.finalizers}}{{.}},{{end}}{{range .metadata.ownerReferences}} {{.uid}}{{end}}{{"\n"}}{{end}}"#;

/// Reads what [`LEFT`] prints, without what every namespace has, and our own Lease.
fn left(text: &str) -> Vec<Left<'_>> {
    const USUAL: &[&str] = &["configmap/kube-root-ca.crt", "serviceaccount/default", "lease/mlopsctl"];
    let objects = text.lines().filter_map(|line| {
        let mut words = line.split(' ');
        let (name, uid, state, finalizers) = (words.next()?, words.next()?, words.next()?, words.next()?);
        let (kind, name) = name.split_once('/')?;
        let name = format!("{}/{name}", kind.to_lowercase());
        let finalizers = finalizers.split_terminator(',').collect();
        Some(Left { name, uid, deleted: state == "deleted", finalizers, owners: words.collect() })
    });
    objects.filter(|object| !USUAL.contains(&object.name.as_str())).collect()
}

impl Left<'_> {
    /// Returns what holds it, if something does.
    fn held(&self, namespace: &str) -> Option<Held> {
        (self.deleted && !self.finalizers.is_empty()).then(|| Held {
            object: self.name.clone(),
            namespace: namespace.to_owned(),
            finalizers: self.finalizers.iter().map(|it| (*it).to_owned()).collect(),
        })
    }

    /// Says whether it goes by itself: it is deleted already, or its owner is. Endpoints have no owner; their controller takes
    /// those of a Service that is gone.
    fn is_leaving(&self, all: &[Self]) -> bool {
        let stays = |owner: &&str| all.iter().any(|object| object.uid == *owner && !object.deleted);
        self.deleted
            || self.name.starts_with("endpoints/")
            || (!self.owners.is_empty() && !self.owners.iter().any(stays))
    }
}

#[cfg(test)]
mod tests {
    use super::left;

    #[test]
    fn only_what_goes_by_itself_is_waited_for() {
        let text = "ConfigMap/kube-root-ca.crt 1 - \n\
Pod/train-x 2 -  3\n\
Job/train 3 - \n\
ReplicaSet/mlflow-1 4 -  99\n\
Pod/mlflow-1-x 5 -  4\n\
PersistentVolumeClaim/data-minio-0 6 - kubernetes.io/pvc-protection,\n\
Pod/minio-0 7 deleted  98\n\
ConfigMap/held 11 deleted example.com/hold,\n\
EndpointSlice/kept 8 -  9\n\
Service/own 9 - \n\
Endpoints/minio 10 - \n";
        let left = left(text);
        let leaving: Vec<&str> = left.iter().filter(|it| it.is_leaving(&left)).map(|it| &it.name[..]).collect();
        // The pod of the ReplicaSet is next.
        assert_eq!(leaving, ["replicaset/mlflow-1", "pod/minio-0", "configmap/held", "endpoints/minio"]);
        let held: Vec<_> = left.iter().filter_map(|it| it.held("dev")).map(|it| it.object).collect();
        assert_eq!((left.len(), held), (10, vec!["configmap/held".to_owned()]));
    }
}
