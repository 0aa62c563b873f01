//! `down`.

mod finalizers;
mod inventory;
mod namespaces;
mod pipelines;

use std::collections::BTreeMap;
use std::time::Instant;

use inventory::{Inventory, count_models, keeps_secrets, show_inventory, take_inventory};
use namespaces::delete_namespaces;
use pipelines::delete_templates;

use super::prepare::{catalog, config, holder, runner, scope, stack};
use super::signals::Signals;
use super::up::confirm;
use crate::apply::{RunError, remove};
use crate::cli::DownArgs;
use crate::cluster::{ClusterState, Lease, RECORD_NAME, STACK_LABEL, observe};
use crate::error::{CommandError, CommandResult, ExitStatus};
use crate::exec::{Invocation, Runner, Tool};
use crate::kubectl;
use crate::plan::{PlanError, Removal};
use crate::printer::{OutputFormat, Printer};
use crate::report::{Events, Kept, RunReport, StepAction, StepReport, show_events};
use crate::settings::Settings;
use crate::stack::{Offer, Stack};

/// Takes the stack away.
pub(super) async fn run(settings: &Settings, args: &DownArgs) -> CommandResult {
    let started = Instant::now();
    loop {
        if let Some(status) = attempt(settings, args, started).await? {
            return Ok(status);
        }
        settings.printer.say("another run changed the stack in the meantime, looking anew");
    }
}

/// Returns nothing where another run changed the stack since the inventory was taken.
async fn attempt(settings: &Settings, args: &DownArgs, started: Instant) -> Result<Option<ExitStatus>, CommandError> {
    let catalog = catalog(settings)?;
    let loaded = config(settings, &catalog)?;
    let stack = stack(settings, &loaded, &catalog, &BTreeMap::new())?;
    let runner = runner(settings, loaded.config.cluster.context.as_deref())?;
    let scope = scope(&stack);
    let state = observe(&runner, &scope).await?;
    check_owner(&stack, &state)?;
    let mut inventory = take_inventory(&runner, &stack, &state).await?;
    if args.purge
        && let Offer::On { release, service } = Offer::of(&stack, catalog.services.tracking.as_ref())
        && inventory.removals.iter().any(|removal| removal.name == release.name)
    {
        inventory.models = Some(count_models(&runner, &service).await);
    }
    show_inventory(settings.printer, &runner, &inventory, args.purge).await;
    ask(args, &stack, &inventory)?;

    let system = &scope.system;
    let mut signals = Signals::new()?;
    let mut steps = Vec::new();
    let mut kept = Vec::new();
    if state.namespaces.contains_key(system) {
        let (known, note) = (state.lease.as_deref(), |note: String| settings.printer.say(&note));
        let lease = Lease::acquire(&runner, system, &stack.id, holder(), known, note).await;
        let lease = lease.map_err(|error| CommandError::from(RunError::from(error)))?;
        if !lease.is_fresh() {
            lease.release().await;
            return Ok(None);
        }
        let result = tokio::select! {
            result = take_away(settings, &runner, &stack, &inventory, args.purge, &mut steps, &mut kept) => result,
            never = signals.watch(&runner, settings.printer) => match never {},
        };
        lease.release().await;
        result?;
    }
    let complete = steps.iter().all(|step| step.action == StepAction::Removed) && !runner.is_interrupted();
    if complete {
        let stay = tokio::select! {
            stay = delete_namespaces(settings.printer, &runner, &state, &kept) => stay?,
            never = signals.watch(&runner, settings.printer) => match never {},
        };
        kept.extend(stay);
    }
    let report = RunReport { command: "down", ok: complete, seconds: started.elapsed().as_secs_f64(), steps, kept };
    if settings.printer.format() == OutputFormat::Text {
        settings.printer.complain(&format!("{} removed in {:.1}s", report.steps.len(), report.seconds));
        show_kept(settings.printer, &report.kept);
    } else {
        settings.printer.json(&report);
    }
    if runner.is_interrupted() {
        return Err(CommandError::new(ExitStatus::Interrupted, anyhow::anyhow!("interrupted"))
            .hint("`mlopsctl down` goes on from here"));
    }
    Ok(Some(if report.ok { ExitStatus::Success } else { ExitStatus::Failure }))
}

fn check_owner(stack: &Stack, state: &ClusterState) -> Result<(), CommandError> {
    let mut problems = Vec::new();
    for (namespace, found) in &state.namespaces {
        if let Some(id) = found.labels.get(STACK_LABEL).filter(|id| **id != stack.id) {
            problems.push(PlanError::OtherStack {
                namespace: namespace.clone(),
                found: id.clone(),
                wanted: stack.id.clone(),
            });
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(problems.into()) }
}

fn ask(args: &DownArgs, stack: &Stack, inventory: &Inventory) -> Result<(), CommandError> {
    if args.purge && !inventory.claims.is_empty() {
        if let Some(given) = &args.confirm {
            return if *given == stack.id {
                Ok(())
            } else {
                Err(CommandError::usage(format!("--confirm {given} is not this stack's id"))
                    .hint(format!("--confirm {}", stack.id)))
            };
        }
        if args.yes || !std::io::IsTerminal::is_terminal(&std::io::stdin()) {
            return Err(CommandError::usage("--purge deletes data and must be confirmed by name")
                .hint(format!("--confirm {}", stack.id)));
        }
        let typed: String = dialoguer::Input::new()
            .with_prompt(format!("This deletes data. Type `{}` to go on", stack.id))
            .interact_text()
            .map_err(|error| CommandError::new(ExitStatus::Interrupted, error))?;
        return if typed == stack.id {
            Ok(())
        } else {
            Err(CommandError::new(ExitStatus::Interrupted, anyhow::anyhow!("not confirmed, nothing was done")))
        };
    }
    if inventory.removals.is_empty() { Ok(()) } else { confirm(args.yes, "Take these away?") }
}

async fn take_away(
    settings: &Settings,
    runner: &Runner,
    stack: &Stack,
    inventory: &Inventory,
    purge: bool,
    steps: &mut Vec<StepReport>,
    kept: &mut Vec<Kept>,
) -> Result<(), CommandError> {
    let (events, receiver) = Events::channel();
    let reporter = tokio::spawn(show_events(receiver, settings.printer));
    steps.extend(uninstall(runner, stack, &inventory.removals, &events).await);
    drop(events);
    let _ = reporter.await;
    if runner.is_interrupted() || steps.iter().any(|step| step.action != StepAction::Removed) {
        return Ok(());
    }
    // A Job of a superseded revision is not in the manifest that helm uninstalls; nor is a hook's Secret, which is data.
    let leftovers = if purge { "jobs,secrets,configmaps" } else { "jobs" };
    for removal in &inventory.removals {
        let selector = format!("app.kubernetes.io/instance={},app.kubernetes.io/managed-by=Helm", removal.name);
        let call = kubectl::delete([leftovers], Some(&removal.namespace)).args(["--selector", &selector]);
        runner.run(call).await?;
    }
    delete_templates(runner, stack).await?;
    // Objects to delete by namespace, so that each takes one call.
    let mut goners: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for claim in &inventory.claims {
        if purge {
            goners.entry(&claim.namespace).or_default().push(format!("persistentvolumeclaim/{}", claim.name));
        } else if !claim.goes_with_release {
            kept.push(kept_object("PersistentVolumeClaim", &claim.namespace, &claim.name, "data is kept"));
        }
    }
    for (namespace, name) in &inventory.secrets {
        if purge || !keeps_secrets(inventory, namespace) {
            goners.entry(namespace).or_default().push(format!("secret/{name}"));
        } else {
            kept.push(kept_object("Secret", namespace, name, "it opens a volume that is kept"));
        }
    }
    for (namespace, objects) in goners {
        runner.run(kubectl::delete(objects, Some(namespace))).await?;
    }
    if purge {
        kept.extend(delete_crds(runner, &inventory.crds).await?);
    } else {
        let reason = "deleting it would delete everybody's objects of its kind";
        kept.extend(inventory.crds.iter().map(|name| kept_object("CustomResourceDefinition", "", name, reason)));
    }
    let system = stack.namespaces.first().map(|namespace| namespace.name.as_str());
    runner.run(kubectl::delete([format!("configmap/{RECORD_NAME}")], system)).await?;
    Ok(())
}

/// Uninstalls releases, each as soon as nothing that needs it is left.
async fn uninstall(runner: &Runner, stack: &Stack, removals: &[Removal], events: &Events) -> Vec<StepReport> {
    let needed_by = |name: &str, open: &[Removal]| {
        stack.releases.iter().any(|release| {
            release.needs.iter().any(|need| need.release == name)
                && open.iter().any(|removal| removal.name == release.name)
        })
    };
    let mut open: Vec<Removal> = removals.to_vec();
    let mut waiting: Vec<Removal> = removals.to_vec();
    let mut tasks = tokio::task::JoinSet::new();
    let mut steps = Vec::new();
    loop {
        if !runner.is_interrupted() {
            let (ready, rest): (Vec<_>, Vec<_>) =
                waiting.into_iter().partition(|removal| !needed_by(&removal.name, &open));
            waiting = rest;
            for removal in ready {
                let (runner, events) = (runner.clone(), events.clone());
                tasks.spawn(async move { remove(&runner, &removal, &events).await });
            }
        }
        let Some(done) = tasks.join_next().await else { break };
        let Ok(step) = done else { continue };
        if step.action == StepAction::Removed {
            open.retain(|removal| removal.name != step.release);
        }
        steps.push(step);
    }
    steps
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

fn kept_object(kind: &'static str, namespace: &str, name: &str, reason: &str) -> Kept {
    Kept { kind, namespace: namespace.to_owned(), name: name.to_owned(), reason: reason.to_owned() }
}

/// Writes what stays; the CRDs, which are many, in one line.
fn show_kept(printer: Printer, kept: &[Kept]) {
    let is_crd = |it: &&Kept| it.kind == "CustomResourceDefinition";
    for it in kept.iter().filter(|it| !is_crd(it)) {
        let place = if it.namespace.is_empty() { String::new() } else { format!(" in {}", it.namespace) };
        printer.say(&format!("{:>12} {} {}{place}: {}", "kept", it.kind, it.name, it.reason));
    }
    let crds = kept.iter().filter(is_crd).count();
    if crds > 0 {
        printer.say(&format!(
            "{:>12} {crds} CustomResourceDefinitions, whose deletion would delete everybody's objects of their kinds",
            "kept"
        ));
    }
}
