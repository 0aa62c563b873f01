//! `preflight`.

use crate::error::{CommandResult, ExitStatus};
use crate::preflight::{Outcome, run_checks};
use crate::printer::{OutputFormat, Tone};
use crate::settings::Settings;

/// Runs all checks and shows them.
pub(super) async fn run(settings: &Settings) -> CommandResult {
    let checks = run_checks(settings).await;
    let ok = checks.iter().all(|check| check.outcome != Outcome::Failed);
    if settings.printer.format() == OutputFormat::Text {
        for check in &checks {
            show(settings, check);
        }
    } else {
        settings.printer.json(&serde_json::json!({"ok": ok, "checks": checks}));
    }
    Ok(if ok { ExitStatus::Success } else { ExitStatus::Preflight })
}

/// Runs all checks and shows those that are not well, on standard error.
pub(super) async fn run_quietly(settings: &Settings) -> CommandResult {
    let checks = run_checks(settings).await;
    for check in checks.iter().filter(|check| !matches!(check.outcome, Outcome::Passed | Outcome::Skipped)) {
        settings.printer.complain(&line(settings, check));
        if let Some(hint) = &check.hint {
            settings.printer.complain(&format!("       hint: {hint}"));
        }
    }
    let ok = checks.iter().all(|check| check.outcome != Outcome::Failed);
    Ok(if ok { ExitStatus::Success } else { ExitStatus::Preflight })
}

fn show(settings: &Settings, check: &crate::preflight::Check) {
    settings.printer.data(&format!("{}\n", line(settings, check)));
    if let Some(hint) = check.hint.as_ref().filter(|_| !matches!(check.outcome, Outcome::Passed | Outcome::Skipped)) {
        settings.printer.data(&format!("       hint: {hint}\n"));
    }
}

fn line(settings: &Settings, check: &crate::preflight::Check) -> String {
    let (tone, word) = match check.outcome {
        Outcome::Passed => (Tone::Good, "  ok"),
        Outcome::Warned => (Tone::Warn, "warn"),
        Outcome::Failed => (Tone::Bad, "fail"),
        Outcome::Skipped => (Tone::Dim, "skip"),
    };
    let detail = if check.detail.is_empty() { String::new() } else { format!(": {}", check.detail) };
    format!("{}  {}{detail}", settings.printer.paint(tone, word), check.title)
}
