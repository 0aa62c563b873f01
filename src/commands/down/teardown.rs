//! Taking away what the inventory says goes.

use std::collections::BTreeMap;

use super::choice::Choice;
use super::finalizers::Held;
use super::inventory::Found;
use super::kept_object;
use super::leaving::{delete_own, wait};
use super::order::{kinds, needs, order};
use crate::apply::remove;
use crate::cluster::RECORD_NAME;
use crate::error::CommandError;
use crate::exec::{Invocation, Runner, Tool};
use crate::kubectl;
use crate::plan::Removal;
use crate::printer::Printer;
use crate::report::{Events, Fate, Inventory, Kept, StepAction, StepReport, show_events};
use crate::stack::Stack;

/// All that a teardown works on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Teardown<'a> {
    pub(super) printer: Printer,
    pub(super) runner: &'a Runner,
    pub(super) stack: &'a Stack,
    pub(super) found: &'a Found,
    pub(super) choice: &'a Choice,
    pub(super) inventory: &'a Inventory,
    /// Names of the CRDs whose objects may be ours.
    pub(super) crds: &'a [String],
}

impl Teardown<'_> {
    /// Deletes our custom resources, then the releases, operators behind what they work for, then data and CRDs.
    pub(super) async fn run(&self, steps: &mut Vec<StepReport>, kept: &mut Vec<Kept>) -> Result<(), CommandError> {
        let Self { runner, stack, found, .. } = *self;
        let (events, receiver) = Events::channel();
        let reporter = tokio::spawn(show_events(receiver, self.printer));
        let held = self.uninstall(&events, steps).await;
        drop(events);
        let _ = reporter.await;
        kept.extend(held?.iter().map(Held::kept));
        if runner.is_interrupted() || steps.iter().any(|step| step.action != StepAction::Removed) {
            return Ok(());
        }
        self.delete_leftovers().await?;
        self.delete_data(kept).await?;
        if self.choice.purge {
            kept.extend(delete_crds(runner, &found.crds).await?);
        } else {
            let reason = "deleting it would delete everybody's objects of its kind";
            kept.extend(found.crds.iter().map(|name| kept_object("CustomResourceDefinition", "", name, reason)));
        }
        let system = stack.namespaces.first().map(|namespace| namespace.name.as_str());
        runner.run(kubectl::delete([format!("configmap/{RECORD_NAME}")], system)).await?;
        Ok(())
    }

    /// Deletes our custom resources, then uninstalls releases, each as soon as nothing is left that goes before it, and an
    /// operator when its work is done. Returns what a finalizer holds all the same.
    async fn uninstall(&self, events: &Events, steps: &mut Vec<StepReport>) -> Result<Vec<Held>, CommandError> {
        let Self { runner, stack, found, .. } = *self;
        let mut held = delete_own(runner, &stack.id, self.crds, events).await?;
        let pairs = kinds(runner, &found.removals, &found.kinds).await;
        let before = order(&found.removals, needs(stack), pairs);
        let mut open: Vec<Removal> = found.removals.clone();
        let mut waiting: Vec<Removal> = found.removals.clone();
        let mut tasks = tokio::task::JoinSet::new();
        loop {
            if !runner.is_interrupted() {
                let is_free = |removal: &Removal| {
                    before.get(&removal.name).is_none_or(|first| !open.iter().any(|it| first.contains(&it.name)))
                };
                let (ready, rest): (Vec<_>, Vec<_>) = waiting.into_iter().partition(is_free);
                waiting = rest;
                for removal in ready {
                    let brought = found.kinds.iter().filter(|kind| kind.release == removal.name);
                    let crds: Vec<String> = brought.map(|kind| kind.crd.clone()).collect();
                    let (runner, events, known) = (runner.clone(), events.clone(), held.clone());
                    tasks.spawn(async move {
                        // helm does not wait until what it deleted is gone.
                        let held =
                            if crds.is_empty() { Ok(Vec::new()) } else { wait(&runner, &crds, &known, &events).await };
                        (remove(&runner, &removal, &events).await, held.unwrap_or_default())
                    });
                }
            }
            let Some(done) = tasks.join_next().await else { break };
            let Ok((step, more)) = done else { continue };
            if step.action == StepAction::Removed {
                open.retain(|removal| removal.name != step.release);
            }
            steps.push(step);
            held.extend(more);
        }
        Ok(held)
    }

    /// A Job of a superseded revision is not in the manifest that helm uninstalls; nor is a hook's Secret, which is data.
    async fn delete_leftovers(&self) -> Result<(), CommandError> {
        for Removal { name, namespace } in &self.found.removals {
            let leftovers = if self.choice.keeps_data_of(name) { "jobs" } else { "jobs,secrets,configmaps" };
            let selector = format!("app.kubernetes.io/instance={name},app.kubernetes.io/managed-by=Helm");
            let call = kubectl::delete([leftovers], Some(namespace)).args(["--selector", &selector]);
            self.runner.run(call).await?;
        }
        Ok(())
    }

    async fn delete_data(&self, kept: &mut Vec<Kept>) -> Result<(), CommandError> {
        // By namespace, so that each takes one call.
        let mut goners: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for volume in &self.inventory.volumes {
            match volume.fate {
                Fate::Keep => {
                    kept.push(kept_object("PersistentVolumeClaim", &volume.namespace, &volume.name, "data is kept"));
                }
                Fate::Delete => {
                    let claim = format!("persistentvolumeclaim/{}", volume.name);
                    goners.entry(&volume.namespace).or_default().push(claim);
                }
            }
        }
        for secret in &self.inventory.secrets {
            match secret.fate {
                Fate::Keep => {
                    let reason = "it opens a volume that is kept";
                    kept.push(kept_object("Secret", &secret.namespace, &secret.name, reason));
                }
                Fate::Delete => {
                    goners.entry(&secret.namespace).or_default().push(format!("secret/{}", secret.name));
                }
            }
        }
        for (namespace, objects) in goners {
            self.runner.run(kubectl::delete(objects, Some(namespace))).await?;
        }
        Ok(())
    }
}

/// Deletes CRDs of whose kinds no object is left anywhere. Returns those that stay.
async fn delete_crds(runner: &Runner, crds: &[String]) -> Result<Vec<Kept>, CommandError> {
    if crds.is_empty() {
        return Ok(Vec::new());
    }
    let instances =
        |kinds: &str| Invocation::new(Tool::Kubectl, ["get", kinds, "-A", "--ignore-not-found", "-o", "name"]);
    let (mut free, mut kept) = (Vec::new(), Vec::new());
    if runner.run(instances(&crds.join(","))).await?.stdout.trim().is_empty() {
        free.extend(crds.iter().map(|name| format!("customresourcedefinition/{name}")));
    } else {
        for name in crds {
            match runner.run(instances(name)).await?.stdout.lines().next() {
                Some(object) => {
                    kept.push(kept_object("CustomResourceDefinition", "", name, &format!("{object} is of its kind")));
                }
                None => free.push(format!("customresourcedefinition/{name}")),
            }
        }
    }
    if !free.is_empty() {
        runner.run(kubectl::delete(free, None)).await?;
    }
    Ok(kept)
}
