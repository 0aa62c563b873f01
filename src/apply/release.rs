//! One release: recovery, then `helm upgrade --install`; or `helm rollback`.

use std::time::Duration;

use super::cause::Cause;
use super::dry_run::{Trial, dry_run};
use crate::cluster::ReleaseRecord;
use crate::exec::{ExecError, Runner, Tools};
use crate::helm;
use crate::plan::{Action, Back, Recovery, ReleasePlan};
use crate::render::{Workload, documents, images};
use crate::report::StepAction;
use crate::stack::Release;

/// What is to be done with a release.
#[derive(Debug, Clone)]
pub(super) struct Job {
    /// The release; of one that only goes back, values and chart do not count.
    pub(super) release: Release,
    /// What it is called when it is done.
    pub(super) action: StepAction,
    /// How it is done.
    pub(super) work: Work,
}

/// How a release is brought into force.
#[derive(Debug, Clone)]
pub(super) enum Work {
    /// It is.
    Nothing,
    /// By its chart and values.
    Upgrade(Box<ReleasePlan>),
    /// By a revision that helm keeps.
    RollBack(Back),
}

impl Job {
    /// Returns the job of a plan.
    pub(super) fn of(plan: &ReleasePlan) -> Self {
        let action = match plan.action {
            Action::Install => StepAction::Installed,
            Action::Upgrade { .. } => StepAction::Upgraded,
            Action::Repair { .. } => StepAction::Repaired,
            Action::Unchanged { .. } => StepAction::Unchanged,
            Action::Foreign { .. } => StepAction::Skipped,
        };
        let work = match plan.action {
            Action::Unchanged { .. } => Work::Nothing,
            _ => Work::Upgrade(Box::new(plan.clone())),
        };
        Self { release: plan.release.clone(), action, work }
    }
}

/// What helm has made.
#[derive(Debug, Clone)]
pub(super) struct Applied {
    /// What to record.
    pub(super) record: ReleaseRecord,
}

/// Brings a release into force. Returns when helm and its hooks are done; readiness is the scheduler's.
pub(super) async fn apply(runner: &Runner, tools: &Tools, job: &Job) -> Result<Applied, Cause> {
    match &job.work {
        Work::Upgrade(plan) => upgrade(runner, tools, plan).await,
        Work::RollBack(back) => roll_back(runner, tools, &job.release, back).await,
        // The scheduler starts no such job.
        Work::Nothing => Err(Cause::unreadable(&job.release.name, "there is nothing to do")),
    }
}

/// Goes back to a revision that helm keeps. helm gives the new revision the labels of the old one, so the number on it is
/// put right: else it would pass for the work of another hand.
async fn roll_back(runner: &Runner, tools: &Tools, release: &Release, back: &Back) -> Result<Applied, Cause> {
    let Release { name, namespace, .. } = release;
    let limit = Duration::from_secs(u64::from(release.timeout_seconds));
    let failed = |error: ExecError| Cause::of_helm(name, namespace, &error);
    let mut call = helm::rollback(name, namespace, back.to, limit);
    if release.force_conflicts && tools.is_helm4() {
        call = call.arg("--force-conflicts");
    }
    if let Err(error) = runner.run(call).await {
        return Err(failed(error).with_further_evidence(runner, name, namespace).await);
    }
    let revision = back.from + 1;
    runner.run(helm::number(name, namespace, revision)).await.map_err(failed)?;
    let output = runner.run(helm::manifest(name, namespace)).await.map_err(failed)?;
    let objects = documents(&output.stdout).map_err(|error| Cause::unreadable(name, &error.to_string()))?;
    let record = ReleaseRecord {
        namespace: namespace.clone(),
        revision,
        chart: back.chart.clone(),
        digest: back.digest.clone(),
        images: images(&objects),
        workloads: Workload::of_manifest(&objects, namespace),
    };
    Ok(Applied { record })
}

async fn upgrade(runner: &Runner, tools: &Tools, plan: &ReleasePlan) -> Result<Applied, Cause> {
    let release = &plan.release;
    let limit = Duration::from_secs(u64::from(release.timeout_seconds));
    let mut revision = plan.revision.unwrap_or(0);
    if let Action::Repair { recovery: Some(recovery), .. } = &plan.action {
        match recovery {
            Recovery::RollBack { revision: good } => {
                let call = helm::rollback(&release.name, &release.namespace, *good, limit);
                runner.run(call).await.map_err(|error| Cause::of_helm(&release.name, &release.namespace, &error))?;
                revision += 1;
            }
            Recovery::Forget { .. } => {
                let call = helm::forget(&release.name, &release.namespace);
                runner.run(call).await.map_err(|error| Cause::of_helm(&release.name, &release.namespace, &error))?;
                revision = 0;
            }
            Recovery::Uninstall { .. } => {
                let call = helm::uninstall(&release.name, &release.namespace, limit);
                runner.run(call).await.map_err(|error| Cause::of_helm(&release.name, &release.namespace, &error))?;
                revision = 0;
            }
        }
    }
    let upgrade = helm::Upgrade { release, chart: &plan.chart.path, digest: &plan.digest, revision: revision + 1 };
    if revision > 0 {
        rehearse(runner, tools, &upgrade).await?;
    }
    let output = match runner.run(helm::upgrade(tools, &upgrade)).await {
        Ok(output) => output,
        Err(error) => {
            let cause = Cause::of_helm(&release.name, &release.namespace, &error);
            return Err(cause.with_further_evidence(runner, &release.name, &release.namespace).await);
        }
    };
    let unreadable = |what: &str| Cause::unreadable(&release.name, what);
    let upgraded = helm::upgraded(&output.stdout).ok_or_else(|| unreadable("helm's answer is not JSON"))?;
    let objects = documents(&upgraded.manifest).map_err(|error| unreadable(&error.to_string()))?;
    let record = ReleaseRecord {
        namespace: release.namespace.clone(),
        revision: upgraded.revision,
        chart: format!("{}-{}", chart_name(plan), plan.chart.version),
        digest: plan.digest.clone(),
        images: images(&objects),
        workloads: Workload::of_manifest(&objects, &release.namespace),
    };
    Ok(Applied { record })
}

/// Tries an upgrade before anything is touched: helm stops at the first object that the API server refuses, and leaves a release
/// that is half of the old and half of the new.
async fn rehearse(runner: &Runner, tools: &Tools, upgrade: &helm::Upgrade<'_>) -> Result<(), Cause> {
    let Release { name, namespace, force_conflicts, .. } = upgrade.release;
    let output = runner.run(helm::upgrade(tools, upgrade).arg("--dry-run=server")).await;
    let output = output.map_err(|error| Cause::of_helm(name, namespace, &error))?;
    let rendered = helm::upgraded(&output.stdout).and_then(|upgraded| documents(&upgraded.manifest).ok());
    let objects = rendered.unwrap_or_default();
    // helm 3 takes fields back as it patches them.
    let force = *force_conflicts || !tools.is_helm4();
    let trial = Trial { release: name, namespace, objects: &objects, old: &[], force, crds_first: false };
    // Where the API server cannot be asked, helm will hear the same.
    let refusals = dry_run(runner, trial).await.unwrap_or_default().refusals;
    match refusals.into_iter().find(|refusal| refusal.known && refusal.cause.permanent) {
        Some(refusal) => Err(refusal.cause),
        None => Ok(()),
    }
}

fn chart_name(plan: &ReleasePlan) -> String {
    match &plan.release.chart {
        crate::stack::ChartRef::Stack { name } | crate::stack::ChartRef::Upstream { name, .. } => name.clone(),
        crate::stack::ChartRef::Path { path } => path.clone(),
    }
}

/// Reads the workloads of a release from the manifest that helm keeps, for a run that has no record of it.
pub(crate) async fn record_from_manifest(
    runner: &Runner,
    plan: &ReleasePlan,
    revision: u64,
) -> Result<Option<ReleaseRecord>, ExecError> {
    let release = &plan.release;
    let output = runner.run(helm::manifest(&release.name, &release.namespace)).await?;
    Ok(documents(&output.stdout).ok().map(|objects| ReleaseRecord {
        namespace: release.namespace.clone(),
        revision,
        chart: format!("{}-{}", chart_name(plan), plan.chart.version),
        digest: plan.digest.clone(),
        images: images(&objects),
        workloads: Workload::of_manifest(&objects, &release.namespace),
    }))
}
