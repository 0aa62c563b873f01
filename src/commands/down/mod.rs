//! `down`.

mod choice;
mod contents;
mod custom;
mod finalizers;
mod inventory;
mod leaving;
mod namespaces;
mod order;
mod show;
mod teardown;

use std::collections::BTreeMap;
use std::time::Instant;

use choice::Choice;
use contents::ask_all;
use inventory::Found;
use namespaces::delete_namespaces;
use show::{show_cluster, show_inventory};
use teardown::Teardown;

use super::prepare::{catalog, config, holder, runner, scope, stack};
use super::signals::Signals;
use super::up::confirm;
use crate::apply::RunError;
use crate::cli::DownArgs;
use crate::cluster::{ClusterState, Lease, STACK_LABEL, observe};
use crate::error::{CommandError, CommandResult, ExitStatus};
use crate::plan::PlanError;
use crate::printer::{OutputFormat, Printer};
use crate::report::{Kept, RunReport, StepAction};
use crate::settings::Settings;
use crate::stack::{Offer, ReleaseSpec, Stack};

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
    let specs: Vec<&ReleaseSpec> = catalog.releases.iter().chain(&loaded.config.releases).collect();
    let mut found = inventory::find(&runner, &stack, &specs, &state).await?;
    let mut choice = Choice::of(args, &found)?;
    let registry = match Offer::of(&stack, catalog.services.tracking.as_ref()) {
        Offer::On { release, service } if found.removals.iter().any(|removal| removal.name == release.name) => {
            Some((release.name.clone(), service))
        }
        _ => None,
    };
    ask_all(&runner, &mut found, registry).await;
    show_cluster(settings.printer, &runner).await;
    let mut inventory = found.with(&choice);
    show_inventory(settings.printer, &found, &inventory);
    if let Some(chosen) = choice::ask(args, &found)?
        && chosen != choice
    {
        choice = chosen;
        inventory = found.with(&choice);
        show_inventory(settings.printer, &found, &inventory);
    }
    ask(args, &stack, &found)?;

    let system = &scope.system;
    let mut signals = Signals::new()?;
    let mut steps = Vec::new();
    let mut kept = Vec::new();
    if state.namespaces.contains_key(system) {
        let (known, note) = (state.lease.as_ref(), |note: String| settings.printer.say(&note));
        let lease = Lease::acquire(&runner, system, &stack.id, holder(), known, note).await;
        let lease = lease.map_err(|error| CommandError::from(RunError::from(error)))?;
        if !lease.is_fresh() {
            lease.release().await;
            return Ok(None);
        }
        let teardown = Teardown {
            printer: settings.printer,
            runner: &runner,
            stack: &stack,
            found: &found,
            choice: &choice,
            inventory: &inventory,
            crds: &custom::known(&state, &stack.id),
        };
        let result = tokio::select! {
            result = teardown.run(&mut steps, &mut kept) => result,
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
        kept.extend(stay.into_iter().filter(|it| !kept.contains(it)).collect::<Vec<_>>());
    }
    let seconds = started.elapsed().as_secs_f64();
    let report = RunReport { command: "down", ok: complete, seconds, steps, kept, inventory: Some(inventory) };
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

fn ask(args: &DownArgs, stack: &Stack, found: &Found) -> Result<(), CommandError> {
    if args.purge && !found.claims.is_empty() {
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
    if found.removals.is_empty() { Ok(()) } else { confirm(args.yes, "Take these away?") }
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
