//! `status`.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::last_run::{self, RunStatus};
use super::prepare::{catalog, config, runner, scope, stack};
use crate::cli::StatusArgs;
use crate::cluster::{ClusterState, Readiness, STACK_LABEL, observe};
use crate::config::Config;
use crate::error::{CommandError, CommandResult, ExitStatus};
use crate::exec::Runner;
use crate::plan::config_digest;
use crate::printer::{OutputFormat, Tone};
use crate::report::table;
use crate::settings::Settings;
use crate::stack::Stack;

/// How often `--watch` looks.
const WATCH: Duration = Duration::from_secs(2);

/// The state of the stack.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct StatusReport {
    /// Every release is deployed and ready.
    healthy: bool,
    stack: String,
    server_version: String,
    /// The newest revision of the stack; none where none was kept.
    revision: Option<u64>,
    /// The file says the same as at that revision.
    file_in_force: bool,
    /// The last run.
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<RunStatus>,
    releases: Vec<ReleaseStatus>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ReleaseStatus {
    release: String,
    namespace: String,
    chart: String,
    /// None where it is not installed.
    revision: Option<u64>,
    /// helm's word, or `absent`.
    status: String,
    /// `up` made this revision.
    managed: bool,
    ready: usize,
    workloads: usize,
    /// What is not ready.
    waiting: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
}

/// Shows releases, workloads, health and addresses.
pub(super) async fn run(settings: &Settings, args: &StatusArgs) -> CommandResult {
    let catalog = catalog(settings)?;
    let loaded = config(settings, &catalog)?;
    let stack = stack(settings, &loaded, &catalog, &BTreeMap::new())?;
    let runner = runner(settings, loaded.config.cluster.context.as_deref())?;
    loop {
        let report = look(&runner, &stack, &loaded.config).await?;
        show(settings, &report, &stack, &loaded.config);
        if !args.watch {
            return Ok(if report.healthy { ExitStatus::Success } else { ExitStatus::Degraded });
        }
        tokio::select! {
            () = tokio::time::sleep(WATCH) => settings.printer.say(""),
            _ = tokio::signal::ctrl_c() => return Ok(ExitStatus::Interrupted),
        }
    }
}

async fn look(runner: &Runner, stack: &Stack, config: &Config) -> Result<StatusReport, CommandError> {
    let scope = scope(stack);
    let state = observe(runner, &scope).await?;
    let newest = state.record.as_ref().and_then(|record| record.revisions.last());
    let other =
        state.namespaces.values().find_map(|namespace| namespace.labels.get(STACK_LABEL).filter(|id| **id != stack.id));
    let releases: Vec<ReleaseStatus> =
        stack.releases.iter().map(|release| release_status(release, &state, config)).collect();
    Ok(StatusReport {
        healthy: releases.iter().all(|it| it.status == "deployed" && it.waiting.is_empty()),
        stack: other.unwrap_or(&stack.id).clone(),
        server_version: state.server_version.clone(),
        revision: newest.map(|revision| revision.number),
        file_in_force: newest.is_none_or(|revision| revision.config == config_digest(config)),
        run: last_run::of(runner, &scope, &state).await?,
        releases,
    })
}

fn release_status(release: &crate::stack::Release, state: &ClusterState, config: &Config) -> ReleaseStatus {
    let found = state.releases.get(&(release.namespace.clone(), release.name.clone()));
    let recorded = state.record.as_ref().and_then(|record| record.releases.get(&release.name));
    let workloads = recorded.map(|record| record.workloads.as_slice()).unwrap_or_default();
    let mut waiting = Vec::new();
    for workload in workloads.iter().filter(|_| found.is_some()) {
        match state.workloads.get(workload) {
            Some(Readiness::Ready) => {}
            Some(Readiness::Waiting(why) | Readiness::Failed(why)) => waiting.push(format!("{workload}: {why}")),
            None => waiting.push(format!("{workload}: gone")),
        }
    }
    ReleaseStatus {
        release: release.name.clone(),
        namespace: release.namespace.clone(),
        chart: recorded.map_or_else(|| release.chart.to_string(), |record| record.chart.clone()),
        revision: found.map(|found| found.revision),
        status: found.map_or_else(|| "absent".to_owned(), |found| found.status.to_string()),
        managed: found.is_some_and(|found| found.digest_revision == Some(found.revision)),
        ready: if found.is_some() { workloads.len() - waiting.len() } else { 0 },
        workloads: workloads.len(),
        waiting,
        address: release.ui.as_ref().map(|ui| address(ui, config)),
    }
}

fn show(settings: &Settings, report: &StatusReport, stack: &Stack, config: &Config) {
    let printer = settings.printer;
    if printer.format() != OutputFormat::Text {
        printer.json(report);
        return;
    }
    let rows: Vec<Vec<String>> = report
        .releases
        .iter()
        .map(|it| {
            let tone = match it.status.as_str() {
                "deployed" if it.waiting.is_empty() => Tone::Good,
                "deployed" | "absent" => Tone::Warn,
                _ => Tone::Bad,
            };
            let revision = it.revision.map_or_else(
                || "-".to_owned(),
                |revision| if it.managed { revision.to_string() } else { format!("{revision}*") },
            );
            vec![
                it.release.clone(),
                it.namespace.clone(),
                revision,
                printer.paint(tone, &it.status),
                format!("{}/{}", it.ready, it.workloads),
                it.chart.clone(),
            ]
        })
        .collect();
    printer.data(&table(&["RELEASE", "NAMESPACE", "REV", "STATUS", "READY", "CHART"], &rows));
    for it in &report.releases {
        for text in &it.waiting {
            printer.data(&format!("{} {}: {text}\n", printer.paint(Tone::Warn, "not ready:"), it.release));
        }
    }
    if report.releases.iter().any(|it| it.revision.is_some() && !it.managed) {
        printer.say("* made by another hand; `mlopsctl up` repairs it");
    }
    if let Some(text) = report.run.as_ref().and_then(RunStatus::text) {
        printer.data(&format!("{} {text}\n", printer.paint(Tone::Warn, "run:")));
    }
    if let (Some(revision), false) = (report.revision, report.file_in_force) {
        printer.say(&format!(
            "the file differs from revision {revision} of the stack, which is in force; `mlopsctl plan` shows how"
        ));
    }
    printer.data(&uis(stack, config));
}

/// Returns where a UI is: its URL, or its Service where there is no domain.
fn address(ui: &crate::stack::Ui, config: &Config) -> String {
    if config.domain.is_empty() {
        format!("svc/{}:{}", ui.service, ui.port)
    } else {
        let scheme = if config.ingress.tls.mode == crate::config::TlsMode::None { "http" } else { "https" };
        format!("{scheme}://{}.{}", ui.host, config.domain)
    }
}

/// Returns a table of the UIs, their addresses and the Secrets that open them; empty where there is none.
pub(super) fn uis(stack: &Stack, config: &Config) -> String {
    let with_ui = stack.releases.iter().filter_map(|release| release.ui.as_ref());
    let rows: Vec<Vec<String>> = with_ui
        .map(|ui| {
            let login = ui.login.as_ref().map_or_else(|| "-".to_owned(), |secret| format!("Secret {secret}"));
            vec![ui.host.clone(), address(ui, config), login]
        })
        .collect();
    if rows.is_empty() {
        return String::new();
    }
    let mut text = format!("\n{}", table(&["UI", "ADDRESS", "LOGIN"], &rows));
    if config.domain.is_empty() {
        let system = &config.namespaces.system;
        text.push_str("reach one with: kubectl port-forward -n ");
        text.push_str(system);
        text.push_str(" svc/NAME PORT\n");
    }
    text
}
