//! One release: recovery, then `helm upgrade --install`.

use std::time::Duration;

use super::cause::Cause;
use crate::cluster::ReleaseRecord;
use crate::exec::{ExecError, Runner, Tools};
use crate::helm;
use crate::plan::{Action, Recovery, ReleasePlan};
use crate::render::{Workload, documents};

/// What helm has made.
#[derive(Debug, Clone)]
pub(super) struct Applied {
    /// What to record.
    pub(super) record: ReleaseRecord,
}

/// Brings a release into force. Returns when helm and its hooks are done; readiness is the scheduler's.
pub(super) async fn apply(runner: &Runner, tools: &Tools, plan: &ReleasePlan) -> Result<Applied, Cause> {
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
            Recovery::Uninstall => {
                let call = helm::uninstall(&release.name, &release.namespace, limit);
                runner.run(call).await.map_err(|error| Cause::of_helm(&release.name, &release.namespace, &error))?;
                revision = 0;
            }
        }
    }
    let upgrade = helm::Upgrade { release, chart: &plan.chart.path, digest: &plan.digest, revision: revision + 1 };
    let output = match runner.run(helm::upgrade(tools, &upgrade)).await {
        Ok(output) => output,
        Err(error) => {
            let cause = Cause::of_helm(&release.name, &release.namespace, &error);
            return Err(cause.with_hook_log(runner, &release.name, &release.namespace).await);
        }
    };
    let unreadable = |what: &str| Cause::unreadable(&release.name, what);
    let upgraded = helm::upgraded(&output.stdout).ok_or_else(|| unreadable("helm's answer is not JSON"))?;
    let objects = documents(&upgraded.manifest).map_err(|error| unreadable(&error.to_string()))?;
    let record = ReleaseRecord {
        namespace: release.namespace.clone(),
        revision: upgraded.revision,
        chart: format!("{}-{}", chart_name(plan), plan.chart.version),
        workloads: Workload::of_manifest(&objects, &release.namespace),
    };
    Ok(Applied { record })
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
        workloads: Workload::of_manifest(&objects, &release.namespace),
    }))
}
