//! A run under the Lease, with its journal, and the stack's revision that it leaves behind.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::keeper::{Keeper, Place};
use super::run::{Environment, RunError};
use crate::cluster::{Journal, Lease, Origin, Outcome, ReleaseRevision, StackRecord, add_revision, differs};
use crate::report::{Event, Events, StepAction, StepReport};

/// What a run is about to do.
#[derive(Debug)]
pub(super) struct Run<'a> {
    /// The command.
    pub(super) command: &'static str,
    /// The digest of its plan.
    pub(super) plan: String,
    /// The releases that something is to happen to.
    pub(super) steps: Vec<String>,
    /// Where it goes back; none where it goes on.
    pub(super) back: Option<WayBack<'a>>,
}

/// What a revision says that a `rollback` makes.
#[derive(Debug, Clone, Copy)]
pub(super) struct WayBack<'a> {
    /// The revision that it goes back to.
    pub(super) number: u64,
    /// The digest of the config that was in force then.
    pub(super) config: &'a str,
    /// The backup that was named.
    pub(super) backup: Option<&'a str>,
}

/// What a run has while it holds the Lease.
#[derive(Debug)]
pub(super) struct Leased<'a> {
    /// Takes down how far it is.
    pub(super) keeper: &'a Keeper,
    /// Set once the Lease could not be kept. Then no further step may start.
    pub(super) lost: Arc<AtomicBool>,
}

/// Says whether the record tells what is in force already, so that a run with nothing to do has nothing to write either.
pub(super) fn is_settled(environment: &Environment<'_>) -> bool {
    let Environment { record, .. } = environment;
    record.is_closed()
        && !differs(
            &record.revisions,
            &origin(environment, "up", None, Outcome::Deployed),
            &in_force(environment, record),
        )
}

/// Takes the Lease, does the work, and gives the Lease back together with the journal's last words.
pub(super) async fn under_lease(
    environment: &Environment<'_>,
    run: Run<'_>,
    events: &Events,
    work: impl AsyncFnOnce(Leased<'_>) -> Result<Vec<StepReport>, RunError>,
) -> Result<Vec<StepReport>, RunError> {
    let Environment { runner, stack, system, holder, .. } = environment;
    let known = environment.lease.as_ref();
    let lease = Lease::acquire(runner, system, &stack.id, holder.clone(), known, |note| events.send(Event::Note(note)));
    let lease = lease.await?;
    if !lease.is_fresh() {
        lease.release().await;
        return Err(RunError::Stale);
    }
    let mut record = environment.record.clone();
    record.journal = Some(Journal::begin(holder, run.command, run.plan, run.steps));
    let place = Place { runner, system, stack: &stack.id, lost: lease.lost_flag() };
    let keeper = Keeper::start(place, record);
    let result = work(Leased { keeper: &keeper, lost: lease.lost_flag() }).await;
    let mut record = keeper.finish().await;
    let outcome = outcome(&result, runner.is_interrupted() || lease.lost_flag().load(Ordering::SeqCst));
    if let Some(journal) = &mut record.journal {
        journal.end(outcome);
    }
    let releases = in_force(environment, &record);
    let unchanged = record.revisions.last().is_some_and(|last| last.releases == releases);
    // What failed without changing anything is for the journal alone.
    if outcome == Outcome::Deployed || !(unchanged || releases.is_empty()) {
        add_revision(&mut record.revisions, origin(environment, run.command, run.back, outcome), releases);
    }
    lease.release_with(Some(record.to_config_map(system, &stack.id))).await;
    result
}

fn outcome(result: &Result<Vec<StepReport>, RunError>, cut_off: bool) -> Outcome {
    let well = |step: &StepReport| !matches!(step.action, StepAction::Failed | StepAction::Skipped);
    match result {
        _ if cut_off => Outcome::Interrupted,
        Ok(steps) if steps.iter().all(well) => Outcome::Deployed,
        _ => Outcome::Failed,
    }
}

fn origin(environment: &Environment<'_>, command: &'static str, back: Option<WayBack<'_>>, outcome: Outcome) -> Origin {
    let config = back.map_or_else(|| environment.config.clone(), |back| back.config.to_owned());
    let rolled_back_to = back.map(|back| back.number);
    let backup = back.and_then(|back| back.backup).map(str::to_owned);
    Origin { command, outcome, config, rolled_back_to, backup }
}

/// Returns what a record says of the releases that are there: those of the stack, and others that are still installed.
fn in_force(environment: &Environment<'_>, record: &StackRecord) -> BTreeMap<String, ReleaseRevision> {
    let Environment { stack, present, .. } = environment;
    let mut found = BTreeMap::new();
    for (name, made) in &record.releases {
        let configured = stack.releases.iter().find(|it| it.name == *name && it.namespace == made.namespace);
        if configured.is_some() || present.releases.contains(&(made.namespace.clone(), name.clone())) {
            found.insert(name.clone(), ReleaseRevision::of(made, configured));
        }
    }
    found
}
