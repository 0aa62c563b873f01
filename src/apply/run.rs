//! The stages of a run of `up`: namespaces, lease, Secrets and CRDs, releases, removals, record.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::cause::LogBook;
use super::crds::{CrdError, Present};
use super::keeper::Keeper;
use super::ledger::{self, Leased};
use super::release::Job;
use super::scheduler::{Scheduler, Waits};
use super::secrets::SecretStepError;
use super::{crds, namespaces, secrets};
use crate::cluster::{CrdRecord, KnownLease, LeaseError, StackRecord, StepState};
use crate::exec::{ExecError, Runner, Tools};
use crate::helm;
use crate::plan::{Plan, Removal, plan_digest};
use crate::report::{Event, Events, Stage, StepAction, StepReport};
use crate::stack::{SecretContent, Stack};

/// How long an uninstall may take.
const UNINSTALL_LIMIT: Duration = Duration::from_mins(5);

/// What a run works with.
#[derive(Debug)]
pub struct Environment<'a> {
    /// Runs the tools.
    pub runner: &'a Runner,
    /// What the tools can do.
    pub tools: &'a Tools,
    /// The stack.
    pub stack: &'a Stack,
    /// The system namespace.
    pub system: &'a str,
    /// Who we are, for the Lease and the journal.
    pub holder: String,
    /// The digest of the config, for the stack's revisions.
    pub config: String,
    /// The Lease when the cluster was observed.
    pub lease: Option<KnownLease>,
    /// How long to wait for what.
    pub waits: Waits,
    /// Values of Secrets that a person typed in.
    pub typed: BTreeMap<String, SecretContent>,
    /// The record of the last run.
    pub record: StackRecord,
    /// CRDs and helm releases in the cluster.
    pub present: Present,
}

/// Why a run ended before its releases.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The namespaces could not be made.
    #[error("the namespaces could not be made")]
    Namespaces(#[source] ExecError),
    /// Another run is at work.
    #[error(transparent)]
    Lease(#[from] LeaseError),
    /// Another run was at work since the plan was made.
    #[error("another run changed the stack in the meantime")]
    Stale,
    /// A Secret could not be made.
    #[error("a Secret could not be made")]
    Secrets(#[from] SecretStepError),
    /// CRDs could not be applied.
    #[error("the CRDs of {release} could not be applied")]
    Crds {
        /// The release whose chart brings them.
        release: String,
        /// Why.
        source: CrdError,
    },
    /// The API server could not be asked whether it serves the CRDs.
    #[error("the CRDs were applied, but could not be read again")]
    Established(#[source] ExecError),
    /// The API server does not serve a CRD that was applied.
    #[error("CRD {name} was applied, but is not served")]
    NotServed {
        /// The CRD.
        name: String,
    },
}

/// Carries a plan out. A plan with nothing to do does not touch the cluster, unless the last run was cut off before it could
/// write down what is in force.
pub async fn apply(environment: Environment<'_>, plan: &Plan, events: &Events) -> Result<Vec<StepReport>, RunError> {
    let jobs: Vec<Job> = plan.releases.iter().map(Job::of).collect();
    if plan.is_empty() && ledger::is_settled(&environment) {
        let quiet = Scheduler {
            runner: environment.runner,
            tools: environment.tools,
            waits: environment.waits,
            lost: Arc::default(),
            events,
            book: LogBook::default(),
            keeper: None,
        };
        return Ok(quiet.run(&jobs).await.0);
    }
    let Environment { runner, stack, .. } = &environment;
    if !plan.namespaces.is_empty() {
        events.send(Event::Stage(Stage::Namespaces));
    }
    namespaces::apply(runner, &stack.id, &plan.namespaces).await.map_err(RunError::Namespaces)?;
    let open = plan.releases.iter().filter(|release| !release.action.is_unchanged());
    let names = open.map(|release| release.release.name.clone());
    let names = names.chain(plan.removals.iter().map(|removal| removal.name.clone()));
    let run = ledger::Run { command: "up", plan: plan_digest(plan), steps: names.collect(), back: None };
    ledger::under_lease(&environment, run, events, async |leased: Leased<'_>| {
        stages(&environment, plan, &jobs, events, leased).await
    })
    .await
}

async fn stages(
    environment: &Environment<'_>,
    plan: &Plan,
    jobs: &[Job],
    events: &Events,
    leased: Leased<'_>,
) -> Result<Vec<StepReport>, RunError> {
    let Environment { runner, tools, stack, waits, typed, .. } = environment;
    let Leased { keeper, lost } = leased;
    if !plan.secrets.is_empty() {
        events.send(Event::Stage(Stage::Secrets));
    }
    if !plan.crds.is_empty() {
        events.send(Event::Stage(Stage::Crds));
    }
    let (made, applied) =
        tokio::join!(secrets::apply(runner, stack, &plan.secrets, typed), apply_crds(environment, plan, events),);
    made?;
    let applied = applied?;
    keeper.update(|record| {
        record.crds.extend(applied);
        record.crds.retain(|name, _| stack.releases.iter().any(|release| release.name == *name));
    });

    let scheduler = Scheduler {
        runner,
        tools,
        waits: *waits,
        lost: Arc::clone(&lost),
        events,
        keeper: Some(keeper),
        book: LogBook::default(),
    };
    let (mut reports, records) = scheduler.run(jobs).await;
    keeper.update(|record| record.releases.extend(records));
    if reports.iter().all(|report| report.action != StepAction::Failed) {
        reports.extend(remove_all(runner, &plan.removals, events, keeper, &lost).await);
    }
    Ok(reports)
}

/// Uninstalls releases one after another, as long as the Lease is ours.
pub(super) async fn remove_all(
    runner: &Runner,
    removals: &[Removal],
    events: &Events,
    keeper: &Keeper,
    lost: &AtomicBool,
) -> Vec<StepReport> {
    let mut reports = Vec::new();
    for removal in removals {
        if runner.is_interrupted() || lost.load(Ordering::SeqCst) {
            break;
        }
        let report = remove(runner, removal, events).await;
        let gone = report.action == StepAction::Removed;
        keeper.update(|record| {
            if gone {
                record.releases.remove(&removal.name);
            }
            if let Some(journal) = &mut record.journal {
                let state = if gone { StepState::Done } else { StepState::Failed };
                journal.steps.insert(removal.name.clone(), state);
            }
        });
        reports.push(report);
    }
    reports
}

async fn apply_crds(
    environment: &Environment<'_>,
    plan: &Plan,
    events: &Events,
) -> Result<BTreeMap<String, CrdRecord>, RunError> {
    let mut tasks = tokio::task::JoinSet::new();
    for crd_plan in plan.crds.clone() {
        let (runner, stack, present) =
            (environment.runner.clone(), environment.stack.id.clone(), environment.present.clone());
        tasks.spawn(async move {
            let release = crd_plan.release.name.clone();
            (release, crds::apply(&runner, &stack, &crd_plan, &present).await)
        });
    }
    let mut records = BTreeMap::new();
    let mut applied = Vec::new();
    while let Some(done) = tasks.join_next().await {
        let Ok((release, result)) = done else { continue };
        let result = result.map_err(|source| RunError::Crds { release: release.clone(), source })?;
        for note in result.notes {
            events.send(Event::Note(note));
        }
        applied.extend(result.applied);
        records.insert(release, result.record);
    }
    if !applied.is_empty() {
        crds::wait_established(environment.runner, &environment.stack.id, &applied).await?;
    }
    Ok(records)
}

/// Uninstalls a release that is not in the file any more.
pub(crate) async fn remove(runner: &Runner, removal: &Removal, events: &Events) -> StepReport {
    let started = std::time::Instant::now();
    let Removal { name, namespace } = removal;
    events.send(Event::Started { release: name.clone(), action: StepAction::Removed });
    let result = runner.run(helm::uninstall(name, namespace, UNINSTALL_LIMIT)).await;
    let cause = result.err().map(|error| super::Cause::of_helm(name, namespace, &error));
    let action = if cause.is_none() { StepAction::Removed } else { StepAction::Failed };
    let seconds = started.elapsed().as_secs_f64();
    events.send(Event::Finished { release: name.clone(), action, seconds, cause: cause.clone() });
    StepReport { release: name.clone(), namespace: namespace.clone(), action, seconds, cause }
}
