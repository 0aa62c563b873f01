//! `up`, `install` and `upgrade`.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use secrecy::{ExposeSecret as _, SecretString};

use super::plan::show_summary;
use super::prepare::{Prepared, holder};
use super::preview::preview;
use super::signals::Signals;
use crate::apply::{Environment, Present, RunError, Waits, apply};
use crate::cli::{InitArgs, InstallArgs, UpArgs};
use crate::config::CredentialSource;
use crate::error::{CommandError, CommandResult, ExitStatus};
use crate::plan::{Plan, config_digest};
use crate::printer::OutputFormat;
use crate::report::{Events, RunReport, StepAction, StepReport, show_events};
use crate::settings::Settings;
use crate::stack::SecretContent;

/// Makes the cluster match the file.
pub(super) async fn run(settings: &Settings, args: &UpArgs) -> CommandResult {
    let started = Instant::now();
    let mut signals = None;
    loop {
        let prepared = Prepared::new(settings).await?;
        let plan = prepared.plan()?;
        if !plan.removals.is_empty() {
            let names: Vec<&str> = plan.removals.iter().map(|removal| removal.name.as_str()).collect();
            confirm(args.yes, &format!("Remove {}, which the file does not have any more?", names.join(", ")))?;
        }
        if let Some(status) = carry_out(settings, args, prepared, plan, started, &mut signals).await? {
            return Ok(status);
        }
    }
}

/// Brings one release and those that it needs into force, and leaves the others as they are.
pub(super) async fn only(settings: &Settings, args: &UpArgs, release: &str) -> CommandResult {
    let started = Instant::now();
    let mut signals = None;
    loop {
        let prepared = Prepared::new(settings).await?;
        let plan = prepared.plan()?.only(release);
        if let Some(status) = carry_out(settings, args, prepared, plan, started, &mut signals).await? {
            return Ok(status);
        }
    }
}

/// First use.
pub(super) async fn install(settings: &Settings, args: &InstallArgs) -> CommandResult {
    if !settings.config.exists() {
        let init = InitArgs {
            yes: args.up.yes,
            domain: args.domain.clone(),
            profile: args.profile.clone(),
            ..InitArgs::default()
        };
        super::init::run(settings, &init).await?;
    }
    let status = super::preflight::run_quietly(settings).await?;
    if status != ExitStatus::Success {
        return Ok(status);
    }
    run(settings, &args.up).await
}

/// Shows the plan, asks, then does it.
pub(super) async fn upgrade(settings: &Settings, args: &UpArgs) -> CommandResult {
    let started = Instant::now();
    let mut signals = None;
    loop {
        let prepared = Prepared::new(settings).await?;
        let plan = prepared.plan()?;
        if plan.is_empty() {
            settings.printer.say("nothing to do");
        } else {
            show_summary(settings.printer, &plan);
            check_refusals(&prepared, &plan).await?;
            confirm(args.yes, "Do this?")?;
        }
        if let Some(status) = carry_out(settings, args, prepared, plan, started, &mut signals).await? {
            return Ok(status);
        }
    }
}

/// Ends with what the API server would refuse.
async fn check_refusals(prepared: &Prepared, plan: &Plan) -> Result<(), CommandError> {
    let previews = preview(prepared, plan).await?;
    let refusals: Vec<_> = previews.into_values().flat_map(|preview| preview.forecast.refusals).collect();
    if refusals.is_empty() {
        return Ok(());
    }
    let told = refusals.iter().map(|it| format!("\n{} {}: {}", it.cause.code, it.cause.title, it.cause.evidence));
    let text: String =
        std::iter::once("the API server would refuse what the plan has".to_owned()).chain(told).collect();
    let error = CommandError::new(ExitStatus::Preflight, anyhow::Error::msg(text));
    Err(refusals.into_iter().fold(error, |error, refusal| error.hint(refusal.cause.fix)))
}

/// Asks on the terminal. Without one only `--yes` is an answer.
pub(super) fn confirm(yes: bool, question: &str) -> Result<(), CommandError> {
    if yes {
        return Ok(());
    }
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return Err(CommandError::usage(format!("no terminal to ask on: {question}")).hint("--yes answers it"));
    }
    match dialoguer::Confirm::new().with_prompt(question).default(false).interact() {
        Ok(true) => Ok(()),
        Ok(false) => {
            Err(CommandError::new(ExitStatus::Interrupted, anyhow::anyhow!("not confirmed, nothing was done")))
        }
        Err(error) => Err(CommandError::new(ExitStatus::Interrupted, error)),
    }
}

/// Carries a plan out. Returns nothing where another run changed the stack since the plan was made.
async fn carry_out(
    settings: &Settings,
    args: &UpArgs,
    prepared: Prepared,
    plan: Plan,
    started: Instant,
    signals: &mut Option<Signals>,
) -> Result<Option<ExitStatus>, CommandError> {
    let typed = ask_credentials(&prepared, &plan)?;
    prepared.write_lock(settings);
    let environment = Environment {
        runner: &prepared.runner,
        tools: &prepared.tools,
        stack: &prepared.stack,
        system: &prepared.loaded.config.namespaces.system,
        holder: holder(),
        config: config_digest(&prepared.loaded.config),
        lease: prepared.state.lease.clone(),
        waits: Waits { grace: Duration::from_secs(args.grace), parallel: usize::from(args.parallel) },
        typed,
        record: prepared.state.record.clone().unwrap_or_default(),
        present: Present {
            crds: prepared.state.crds.keys().cloned().collect(),
            releases: prepared.state.releases.keys().cloned().collect(),
        },
    };
    let (events, receiver) = Events::channel();
    let reporter = tokio::spawn(show_events(receiver, settings.printer));
    let mut listening = match signals.take() {
        Some(signals) => signals,
        None => Signals::new()?,
    };
    let result = tokio::select! {
        result = apply(environment, &plan, &events) => result,
        never = listening.watch(&prepared.runner, settings.printer) => match never {},
    };
    *signals = Some(listening);
    drop(events);
    let _ = reporter.await;
    if prepared.runner.is_interrupted() && result.is_err() {
        return Err(interrupted("up"));
    }
    if matches!(result, Err(RunError::Stale)) {
        settings.printer.say("another run changed the stack in the meantime, planning anew");
        return Ok(None);
    }
    let steps = result?;
    let ok = steps.iter().all(|step| !matches!(step.action, StepAction::Failed | StepAction::Skipped));
    let report = RunReport {
        command: "up",
        ok,
        seconds: started.elapsed().as_secs_f64(),
        steps,
        kept: Vec::new(),
        inventory: None,
    };
    if settings.printer.format() == OutputFormat::Text {
        summarize(settings, &prepared, &report);
    } else {
        settings.printer.json(&report);
    }
    if prepared.runner.is_interrupted() {
        return Err(interrupted("up"));
    }
    Ok(Some(if ok { ExitStatus::Success } else { ExitStatus::Failure }))
}

/// Returns the end of a command that a signal cut off.
pub(super) fn interrupted(command: &str) -> CommandError {
    let error = CommandError::new(ExitStatus::Interrupted, anyhow::anyhow!("interrupted"));
    error.hint(format!("`mlopsctl {command}` goes on from here"))
}

/// Asks for what a person is to choose, where the file says so and the Secret does not exist yet.
fn ask_credentials(prepared: &Prepared, plan: &Plan) -> Result<BTreeMap<String, SecretContent>, CommandError> {
    let mut typed: BTreeMap<String, SecretContent> = BTreeMap::new();
    if prepared.loaded.config.credentials.source != CredentialSource::Prompt {
        return Ok(typed);
    }
    for secret in plan.secrets.iter().filter(|plan| plan.create).map(|plan| &plan.secret) {
        for (key, rule) in &secret.keys {
            let (Some(prompt), Some(random)) = (&rule.prompt, &rule.random) else { continue };
            if !std::io::stdin().is_terminal() {
                let message = format!("no terminal to ask on: {prompt} (Secret {}, key {key})", secret.name);
                return Err(CommandError::usage(message)
                    .hint("make the Secret beforehand, or set `credentials.source: generate`"));
            }
            let minimum = random.minimum;
            let answer = dialoguer::Password::new()
                .with_prompt(format!("{prompt} (empty: random)"))
                .allow_empty_password(true)
                .with_confirmation("Once more", "They differ")
                .validate_with(|text: &String| {
                    let fits = text.is_empty()
                        || (text.len() >= minimum
                            && text.len() <= 128
                            && text.chars().all(|c| c.is_ascii_alphanumeric()));
                    if fits { Ok(()) } else { Err(format!("{minimum} to 128 letters or digits")) }
                })
                .interact()
                .map_err(|error| CommandError::new(ExitStatus::Interrupted, error))?;
            let answer = SecretString::from(answer);
            if !answer.expose_secret().is_empty() {
                typed.entry(secret.name.clone()).or_default().insert(key.clone(), answer);
            }
        }
    }
    Ok(typed)
}

/// Returns how many releases met which fate.
pub(super) fn counts(steps: &[StepReport]) -> String {
    let count = |wanted: StepAction| steps.iter().filter(|step| step.action == wanted).count();
    let actions = [
        StepAction::Installed,
        StepAction::Upgraded,
        StepAction::Repaired,
        StepAction::RolledBack,
        StepAction::Unchanged,
        StepAction::Removed,
        StepAction::Failed,
        StepAction::Skipped,
    ];
    let counted: Vec<String> = actions
        .into_iter()
        .filter(|action| count(*action) > 0)
        .map(|action| format!("{} {}", count(action), action.name()))
        .collect();
    counted.join(", ")
}

fn summarize(settings: &Settings, prepared: &Prepared, report: &RunReport) {
    let printer = settings.printer;
    printer.complain(&format!("{} in {:.1}s", counts(&report.steps), report.seconds));
    if !report.ok {
        if !prepared.runner.is_interrupted() {
            printer.say("`mlopsctl up` goes on from here once the cause is mended");
        }
        return;
    }
    if report.steps.iter().any(|step| step.action == StepAction::Installed) {
        printer.say(super::status::uis(&prepared.stack, &prepared.loaded.config).trim_end());
        printer.say("\n`mlopsctl status` shows how it is");
    }
}
