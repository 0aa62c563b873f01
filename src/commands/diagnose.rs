//! `diagnose`.

use serde::Serialize;

use super::prepare::{lock_path, scope};
use super::session::Session;
use crate::apply::{Examined, causes, examine};
use crate::cli::DiagnoseArgs;
use crate::cluster::observe;
use crate::error::{CommandError, CommandResult, ExitStatus};
use crate::exec::Tools;
use crate::printer::{OutputFormat, Printer, Tone, counted};
use crate::settings::Settings;
use crate::support::{Archive, write_archive};

/// What is wrong with a stack.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Diagnosis {
    /// Every release is deployed and ready.
    healthy: bool,
    stack: String,
    server_version: String,
    releases: Vec<Examined>,
}

/// Says of each release how it is, and why where it is not well.
pub(super) async fn run(settings: &Settings, args: &DiagnoseArgs) -> CommandResult {
    let Session { stack, runner, .. } = Session::open(settings)?;
    if let Some(name) = args.release.as_ref().filter(|name| stack.releases.iter().all(|it| it.name != **name)) {
        let names: Vec<&str> = stack.releases.iter().map(|release| release.name.as_str()).collect();
        return Err(CommandError::usage(format!("the stack has no release `{name}`"))
            .hint(format!("its releases are {}", names.join(", "))));
    }
    let state = observe(&runner, &scope(&stack)).await?;
    let wanted = |release: &crate::stack::Release| args.release.as_ref().is_none_or(|name| *name == release.name);
    let releases = examine(&runner, &stack, &state, wanted).await?;
    let diagnosis = Diagnosis {
        healthy: releases.iter().all(Examined::is_well),
        stack: stack.id.clone(),
        server_version: state.server_version.clone(),
        releases,
    };
    if let Some(path) = &args.archive {
        let tools = Tools::probe(&runner).await?;
        let text = serde_json::to_string_pretty(&diagnosis).unwrap_or_default();
        let archive = Archive {
            runner: &runner,
            tools: &tools,
            stack: &stack,
            state: &state,
            files: &[settings.config.clone(), lock_path(settings)],
            diagnosis: &text,
        };
        write_archive(&archive, path).await?;
        settings.printer.say(&format!("wrote {}, without values of Secrets", path.display()));
    }
    match settings.printer.format() {
        OutputFormat::Text => show(settings.printer, &diagnosis),
        OutputFormat::Json | OutputFormat::Ndjson => settings.printer.json(&diagnosis),
    }
    Ok(if diagnosis.healthy { ExitStatus::Success } else { ExitStatus::Degraded })
}

fn show(printer: Printer, diagnosis: &Diagnosis) {
    let mut text = String::new();
    let mut line = |tone: Tone, word: &str, rest: &str| {
        text.push_str(format!("{} {rest}", printer.paint(tone, &format!("{word:>12}"))).trim_end());
        text.push('\n');
    };
    for it in diagnosis.releases.iter().filter(|it| !it.is_well()) {
        let revision = it.revision.map(|revision| format!(", revision {revision}")).unwrap_or_default();
        line(Tone::Bad, &it.release, &format!("in {}: {}{revision}", it.namespace, it.status));
        for cause in &it.causes {
            line(Tone::Bad, cause.code, cause.title);
            for evidence in cause.evidence.lines() {
                line(Tone::Dim, "", evidence);
            }
            if let Some(kind) = causes().find(|kind| kind.code == cause.code) {
                line(Tone::Dim, "means", kind.meaning);
                line(Tone::Dim, "more", &kind.docs());
            }
            line(Tone::Dim, "fix", &cause.fix);
        }
        for waiting in &it.waiting {
            line(Tone::Warn, "waiting", waiting);
        }
        if it.status == "absent" && it.causes.is_empty() {
            line(Tone::Dim, "fix", "mlopsctl up");
        }
    }
    if diagnosis.healthy {
        let workloads: usize = diagnosis.releases.iter().map(|it| it.workloads).sum();
        let releases = counted(diagnosis.releases.len(), "release");
        line(Tone::Good, "well", &format!("{releases}, {} ready", counted(workloads, "workload")));
    }
    printer.data(&text);
}
