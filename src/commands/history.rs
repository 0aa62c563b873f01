//! `history`.

use serde::Serialize;

use super::prepare::scope;
use super::session::Session;
use crate::cli::HistoryArgs;
use crate::cluster::{Outcome, StackRevision, observe};
use crate::error::{CommandError, CommandResult, ExitStatus};
use crate::printer::{OutputFormat, counted};
use crate::report::table;
use crate::settings::Settings;

/// The revisions of the stack, the newest first.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct HistoryReport<'a> {
    stack: &'a str,
    revisions: Vec<Entry<'a>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Entry<'a> {
    /// `deployed` for the newest good one, `superseded` for the good ones before, else how its run ended.
    status: &'static str,
    #[serde(flatten)]
    revision: &'a StackRevision,
}

/// Shows what was in force after earlier runs, or the releases of one revision.
pub(super) async fn run(settings: &Settings, args: &HistoryArgs) -> CommandResult {
    let session = Session::open(settings)?;
    let state = observe(&session.runner, &scope(&session.stack)).await?;
    let revisions = state.record.map(|record| record.revisions).unwrap_or_default();
    let newest = revisions.iter().rev().find(|it| it.outcome == Outcome::Deployed).map(|it| it.number);
    let mut entries: Vec<Entry<'_>> =
        revisions.iter().rev().map(|revision| Entry { status: status(revision, newest), revision }).collect();
    if let Some(number) = args.number {
        entries.retain(|entry| entry.revision.number == number);
        if entries.is_empty() {
            let error = anyhow::anyhow!("revision {number} of the stack is not kept");
            return Err(CommandError::new(ExitStatus::Failure, error).hint("mlopsctl history"));
        }
    }
    let printer = settings.printer;
    if printer.format() != OutputFormat::Text {
        printer.json(&HistoryReport { stack: &session.stack.id, revisions: entries });
    } else if entries.is_empty() {
        printer.say("no revision of this stack is kept; `mlopsctl up` makes the first");
    } else if let (Some(_), [entry]) = (args.number, entries.as_slice()) {
        printer.data(&releases(entry.revision));
    } else {
        printer.data(&overview(&entries, &revisions));
    }
    Ok(ExitStatus::Success)
}

fn status(revision: &StackRevision, newest: Option<u64>) -> &'static str {
    match revision.outcome {
        Outcome::Deployed if newest == Some(revision.number) => "deployed",
        Outcome::Deployed => "superseded",
        other => other.name(),
    }
}

fn overview(entries: &[Entry<'_>], all: &[StackRevision]) -> String {
    let rows: Vec<Vec<String>> = entries
        .iter()
        .map(|entry| {
            let revision = entry.revision;
            let before = all.iter().rev().find(|it| it.number < revision.number);
            let mut command = revision.command.clone();
            if let Some(number) = revision.rolled_back_to {
                command = format!("{command} to {number}");
            }
            if let Some(backup) = &revision.backup {
                command = format!("{command} (backup {backup})");
            }
            vec![
                revision.number.to_string(),
                revision.time.clone(),
                entry.status.to_owned(),
                command,
                revision.version.clone(),
                changes(revision, before),
            ]
        })
        .collect();
    table(&["REVISION", "TIME", "STATUS", "COMMAND", "MLOPSCTL", "CHANGES"], &rows)
}

/// Says what is different from the revision before.
fn changes(revision: &StackRevision, before: Option<&StackRevision>) -> String {
    let Some(before) = before else { return counted(revision.releases.len(), "release") };
    let mut words: Vec<String> = Vec::new();
    for (name, now) in &revision.releases {
        match before.releases.get(name) {
            None => words.push(format!("+{name}")),
            Some(then) if then.digest != now.digest => words.push(name.clone()),
            Some(then) if then.revision != now.revision => words.push(format!("{name} (repaired)")),
            Some(_) => {}
        }
    }
    let gone = before.releases.keys().filter(|name| !revision.releases.contains_key(*name));
    words.extend(gone.map(|name| format!("-{name}")));
    if words.is_empty() { "no release".to_owned() } else { words.join(", ") }
}

fn releases(revision: &StackRevision) -> String {
    let rows: Vec<Vec<String>> = revision
        .releases
        .iter()
        .map(|(name, it)| {
            let digest = it.digest.get(..12).unwrap_or(&it.digest);
            vec![name.clone(), it.namespace.clone(), it.revision.to_string(), it.chart.clone(), digest.to_owned()]
        })
        .collect();
    table(&["RELEASE", "NAMESPACE", "REV", "CHART", "DIGEST"], &rows)
}
