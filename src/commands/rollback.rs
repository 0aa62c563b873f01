//! `rollback`.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::prepare::{holder, scope};
use super::session::Session;
use super::signals::Signals;
use super::up::{confirm, counts, interrupted};
use crate::apply::{Environment, Present, RunError, Waits, roll_back};
use crate::cli::RollbackStackArgs;
use crate::cluster::{ClusterState, STACK_LABEL, observe};
use crate::error::{CommandError, CommandResult, ExitStatus};
use crate::exec::Tools;
use crate::plan::{PlanError, RollbackError, RollbackInputs, RollbackPlan, config_digest, plan_rollback};
use crate::printer::{OutputFormat, Printer, Tone};
use crate::report::{Events, RunReport, StepAction, show_events};
use crate::settings::Settings;
use crate::stack::Stack;

/// Brings an earlier revision of the whole stack into force.
pub(super) async fn run(settings: &Settings, args: &RollbackStackArgs) -> CommandResult {
    let started = Instant::now();
    loop {
        if let Some(status) = attempt(settings, args, started).await? {
            return Ok(status);
        }
        settings.printer.say("another run changed the stack in the meantime, planning anew");
    }
}

/// Returns nothing where another run changed the stack since the plan was made.
async fn attempt(
    settings: &Settings,
    args: &RollbackStackArgs,
    started: Instant,
) -> Result<Option<ExitStatus>, CommandError> {
    let session = Session::open(settings)?;
    let Session { stack, runner, loaded, .. } = &session;
    let scope = scope(stack);
    let (tools, state) = tokio::join!(Tools::probe(runner), observe(runner, &scope));
    let (tools, state) = (tools?, state?);
    check_owner(stack, &state)?;
    let inputs = RollbackInputs {
        stack,
        state: &state,
        number: args.number,
        backup: args.backup.as_deref(),
        partial: args.partial,
        prune: args.prune,
    };
    let plan = plan_rollback(&inputs)?;
    show_plan(settings.printer, &plan);
    if args.dry_run {
        if settings.printer.format() != OutputFormat::Text {
            settings.printer.json(&to_json(&plan));
        }
        return Ok(Some(ExitStatus::Success));
    }
    if !plan.is_empty() {
        let question = format!("Go back to revision {} of the stack?", plan.target.number);
        confirm(args.run.yes, &question)?;
    }
    let environment = Environment {
        runner,
        tools: &tools,
        stack,
        system: &loaded.config.namespaces.system,
        holder: holder(),
        config: config_digest(&loaded.config),
        lease: state.lease.clone(),
        waits: Waits { grace: Duration::from_secs(args.run.grace), parallel: usize::from(args.run.parallel) },
        typed: BTreeMap::new(),
        record: state.record.clone().unwrap_or_default(),
        present: Present {
            crds: state.crds.keys().cloned().collect(),
            releases: state.releases.keys().cloned().collect(),
        },
    };
    let steps = if plan.is_empty() {
        Vec::new()
    } else {
        let (events, receiver) = Events::channel();
        let reporter = tokio::spawn(show_events(receiver, settings.printer));
        let mut signals = Signals::new()?;
        let result = tokio::select! {
            result = roll_back(environment, &plan, args.backup.as_deref(), &events) => result,
            never = signals.watch(runner, settings.printer) => match never {},
        };
        drop(events);
        let _ = reporter.await;
        if runner.is_interrupted() && result.is_err() {
            return Err(interrupted("rollback"));
        }
        if matches!(result, Err(RunError::Stale)) {
            return Ok(None);
        }
        result?
    };
    let ok = steps.iter().all(|step| !matches!(step.action, StepAction::Failed | StepAction::Skipped));
    let report = RunReport {
        command: "rollback",
        ok,
        seconds: started.elapsed().as_secs_f64(),
        steps,
        kept: Vec::new(),
        inventory: None,
    };
    if settings.printer.format() == OutputFormat::Text {
        summarize(settings.printer, &report, &plan, args);
    } else {
        settings.printer.json(&report);
    }
    if runner.is_interrupted() {
        return Err(interrupted("rollback"));
    }
    Ok(Some(if ok { ExitStatus::Success } else { ExitStatus::Failure }))
}

fn check_owner(stack: &Stack, state: &ClusterState) -> Result<(), CommandError> {
    let others = state.namespaces.iter().filter_map(|(namespace, found)| {
        let id = found.labels.get(STACK_LABEL).filter(|id| **id != stack.id)?;
        Some(PlanError::OtherStack { namespace: namespace.clone(), found: id.clone(), wanted: stack.id.clone() })
    });
    let problems: Vec<PlanError> = others.collect();
    if problems.is_empty() { Ok(()) } else { Err(problems.into()) }
}

/// Writes one line for each release.
fn show_plan(printer: Printer, plan: &RollbackPlan) {
    let line = |tone: Tone, word: &str, text: &str| {
        let text = format!("{} {text}", printer.paint(tone, &format!("{word:>10}")));
        match printer.format() {
            OutputFormat::Text => printer.data(&format!("{text}\n")),
            OutputFormat::Json | OutputFormat::Ndjson => printer.say(&text),
        }
    };
    let target = &plan.target;
    printer
        .say(&format!("revision {} of the stack, of {}, by mlopsctl {}", target.number, target.time, target.version));
    for step in &plan.steps {
        let name = &step.release.name;
        match &step.back {
            Some(back) => {
                line(
                    Tone::Warn,
                    "roll back",
                    &format!("{name} from revision {} to {} ({})", back.from, back.to, back.chart),
                );
            }
            None => line(Tone::Dim, "unchanged", &format!("{name} (revision {})", step.revision)),
        }
    }
    for (name, reason) in &plan.lost {
        line(Tone::Bad, "leave", &format!("{name}: {reason}"));
    }
    for removal in &plan.left {
        line(Tone::Dim, "leave", &format!("{}: it was not there then; --prune removes it", removal.name));
    }
    for removal in &plan.removals {
        line(Tone::Bad, "remove", &format!("{}: it was not there then", removal.name));
    }
}

fn to_json(plan: &RollbackPlan) -> Value {
    let steps = plan.steps.iter().map(|step| {
        let (name, namespace) = (&step.release.name, &step.release.namespace);
        let to = step.back.as_ref().map(|back| back.to);
        json!({"release": name, "namespace": namespace, "from": step.revision, "to": to, "chart": plan.target.releases[name].chart})
    });
    let names = |removals: &[crate::plan::Removal]| removals.iter().map(|it| it.name.clone()).collect::<Vec<_>>();
    json!({
        "revision": plan.target.number,
        "changes": !plan.is_empty(),
        "releases": steps.collect::<Vec<_>>(),
        "removed": names(&plan.removals),
        "left": names(&plan.left),
        "lost": plan.lost.iter().map(|(name, reason)| json!({"release": name, "reason": reason})).collect::<Vec<_>>(),
    })
}

fn summarize(printer: Printer, report: &RunReport, plan: &RollbackPlan, args: &RollbackStackArgs) {
    if report.steps.is_empty() {
        printer.say(&format!("revision {} of the stack is in force", plan.target.number));
        return;
    }
    printer.complain(&format!("{} in {:.1}s", counts(&report.steps), report.seconds));
    if !report.ok {
        printer.say("`mlopsctl rollback` goes on from here, `mlopsctl up` brings the file into force");
        return;
    }
    if let Some(backup) = &args.backup {
        printer.say(&format!("backup {backup} is noted with this revision; mlopsctl does not restore it"));
    }
    printer.say("the file still says what was in force before: change it, or `mlopsctl up` goes forward again");
}

impl From<Vec<RollbackError>> for CommandError {
    fn from(errors: Vec<RollbackError>) -> Self {
        let mut hints: Vec<String> = Vec::new();
        for error in &errors {
            let hint = match error {
                RollbackError::NoHistory { .. } => "`mlopsctl up` makes the first revision".to_owned(),
                RollbackError::NoneBefore | RollbackError::Unknown { .. } | RollbackError::NotGood { .. } => {
                    "`mlopsctl history` lists the revisions".to_owned()
                }
                RollbackError::Lost { .. } => {
                    "--partial leaves such releases as they are; `mlopsctl up` with the file of then brings all back"
                        .to_owned()
                }
                RollbackError::Foreign { release, namespace, .. } => {
                    format!("whose is it? helm history {release} -n {namespace}")
                }
                RollbackError::Schema { .. } => {
                    "restore a backup of its data of then, and name it: --backup NAME".to_owned()
                }
            };
            if !hints.contains(&hint) {
                hints.push(hint);
            }
        }
        let text = errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
        Self { status: ExitStatus::Preflight, error: anyhow::Error::msg(text), hints }
    }
}
