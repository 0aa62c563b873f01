//! `verify`.

use std::time::Duration;

use super::prepare::chart_store;
use super::session::Session;
use super::signals::Signals;
use crate::cli::VerifyArgs;
use crate::error::{CommandError, CommandResult, ExitStatus};
use crate::exec::Tools;
use crate::printer::{OutputFormat, Printer, Tone};
use crate::settings::Settings;
use crate::stack::ChartRef;
use crate::verify::{Limits, Outcome, StepReport, Verification, VerifyError, VerifyReport};

/// Proves the way from a training run to a prediction on the installed stack.
pub(super) async fn run(settings: &Settings, args: &VerifyArgs) -> CommandResult {
    let printer = settings.printer;
    let session = Session::open(settings)?;
    let server = ChartRef::Stack { name: "fastapi-model-server".into() };
    let store = chart_store(settings);
    let (tools, charts) = tokio::join!(Tools::probe(&session.runner), store.fetch(&session.runner, [server.clone()]));
    let (tools, charts) = (tools?, charts?);
    let chart =
        charts.get(&server).ok_or_else(|| CommandError::usage("this stack has no chart fastapi-model-server"))?;
    let verification = Verification {
        runner: &session.runner,
        tools: &tools,
        config: &session.loaded.config,
        catalog: &session.catalog,
        source: &settings.stack,
        stack: &session.stack,
        chart,
        limits: Limits { step: Duration::from_secs(args.timeout), grace: Duration::from_secs(args.grace) },
        keep: args.keep,
    };
    let mut signals = Signals::new()?;
    let report = tokio::select! {
        report = verification.run(|_| (), |step| printer.say(&line(printer, step))) => report?,
        never = signals.watch(&session.runner, printer) => match never {},
    };
    if let Some(path) = &args.junit {
        fs_err::write(path, report.to_junit()).map_err(|error| CommandError::new(ExitStatus::Failure, error))?;
    }
    show(printer, &report);
    for left in &report.left {
        printer.complain(&format!("{} could not be removed: {left}", printer.paint(Tone::Warn, "warning:")));
    }
    if args.keep {
        printer.say(&format!("everything is still in namespace {}", verification.namespace()));
    }
    if session.runner.is_interrupted() {
        return Err(CommandError::new(ExitStatus::Interrupted, anyhow::anyhow!("interrupted")));
    }
    Ok(if report.ok { ExitStatus::Success } else { ExitStatus::Degraded })
}

fn line(printer: Printer, step: &StepReport) -> String {
    let name = step.step.name();
    let seconds = step.seconds;
    match &step.outcome {
        Outcome::Passed { detail } => {
            format!("{}  {name:<9} {seconds:>5.1}s  {detail}", printer.paint(Tone::Good, "  ok"))
        }
        Outcome::Skipped { reason } => format!("{}  {name:<9}         {reason}", printer.paint(Tone::Dim, "skip")),
        Outcome::Failed { reason, evidence, fix } => {
            let mut text = format!("{}  {name:<9} {seconds:>5.1}s  {reason}", printer.paint(Tone::Bad, "fail"));
            for line in evidence.lines().filter(|line| !line.trim().is_empty()) {
                text.push_str("\n                         ");
                text.push_str(line);
            }
            if !fix.is_empty() {
                text.push_str("\n                         hint: ");
                text.push_str(fix);
            }
            text
        }
    }
}

fn show(printer: Printer, report: &VerifyReport) {
    if printer.format() != OutputFormat::Text {
        printer.json(report);
        return;
    }
    let counts = [
        (report.count(|outcome| matches!(outcome, Outcome::Passed { .. })), "passed"),
        (report.count(|outcome| matches!(outcome, Outcome::Failed { .. })), "failed"),
        (report.count(|outcome| matches!(outcome, Outcome::Skipped { .. })), "skipped"),
    ];
    let counts: Vec<String> =
        counts.into_iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}")).collect();
    printer.data(&format!("{} in {:.0}s\n", counts.join(", "), report.seconds));
}

impl From<VerifyError> for CommandError {
    fn from(error: VerifyError) -> Self {
        match error {
            VerifyError::Exec(error) => error.into(),
            VerifyError::Mlflow(error) | VerifyError::Leftovers(error) => error.into(),
            VerifyError::NotInstalled { .. } => Self::new(ExitStatus::Preflight, error).hint("mlopsctl up"),
            VerifyError::Taken { ref namespace, .. } => {
                let hint = format!("wait for it, or if it was killed: kubectl delete namespace {namespace}");
                Self::new(ExitStatus::Failure, error).hint(hint)
            }
            VerifyError::Foreign { .. } => Self::new(ExitStatus::Preflight, error)
                .hint("verify needs this name for itself: delete the namespace, or use another `namespaces.system`"),
        }
    }
}
