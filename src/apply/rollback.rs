//! The way back to an earlier revision of the stack.

use std::sync::Arc;

use super::cause::LogBook;
use super::ledger::{self, Leased, WayBack};
use super::release::{Job, Work};
use super::run::{Environment, RunError, remove_all};
use super::scheduler::Scheduler;
use crate::plan::{RollbackPlan, rollback_digest};
use crate::report::{Events, StepAction, StepReport};

/// Goes back: every release to helm's revision of then, in the order of their needs, then the removals.
pub async fn roll_back(
    environment: Environment<'_>,
    plan: &RollbackPlan,
    backup: Option<&str>,
    events: &Events,
) -> Result<Vec<StepReport>, RunError> {
    let jobs: Vec<Job> = plan
        .steps
        .iter()
        .map(|step| match step.back.clone() {
            Some(back) => {
                Job { release: step.release.clone(), action: StepAction::RolledBack, work: Work::RollBack(back) }
            }
            None => Job { release: step.release.clone(), action: StepAction::Unchanged, work: Work::Nothing },
        })
        .collect();
    let back = WayBack { number: plan.target.number, config: &plan.target.config, backup };
    let steps = plan.names().map(str::to_owned).collect();
    let run = ledger::Run { command: "rollback", plan: rollback_digest(plan), steps, back: Some(back) };
    let Environment { runner, tools, waits, .. } = &environment;
    ledger::under_lease(&environment, run, events, async |leased: Leased<'_>| {
        let Leased { keeper, lost } = leased;
        let scheduler = Scheduler {
            runner,
            tools,
            waits: *waits,
            lost: Arc::clone(&lost),
            events,
            keeper: Some(keeper),
            book: LogBook::default(),
        };
        let (mut reports, records) = scheduler.run(&jobs).await;
        keeper.update(|record| record.releases.extend(records));
        if reports.iter().all(|report| !matches!(report.action, StepAction::Failed | StepAction::Skipped)) {
            reports.extend(remove_all(runner, &plan.removals, events, keeper, &lost).await);
        }
        Ok(reports)
    })
    .await
}
