//! The last run of a stack, told apart: at work, ended, or cut off.

use std::time::Instant;

use serde::Serialize;

use crate::cluster::{ClusterState, Journal, LeaseState, Outcome, RENEWAL_SHOWS, Scope, StepState, observe_lease};
use crate::exec::{ExecError, Runner};

/// How a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Life {
    /// Its holder renews the Lease.
    AtWork,
    /// It ended by itself.
    Ended,
    /// It ended without a word.
    CutOff,
}

/// The last run, or the one that holds the Lease.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RunStatus {
    /// Who: host, process id, a random part.
    run: String,
    state: Life,
    /// How long ago it was heard of, in seconds; only of one at work.
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds_since_renewal: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    journal: Option<Journal>,
}

/// Finds out about the last run. Takes some seconds where the holder's clock says nothing.
pub(super) async fn of(runner: &Runner, scope: &Scope, state: &ClusterState) -> Result<Option<RunStatus>, ExecError> {
    let journal = state.record.as_ref().and_then(|record| record.journal.clone());
    let Some(holder) = state.lease.as_ref().and_then(|lease| lease.holder.as_ref()) else {
        return Ok(journal.map(|journal| {
            let life = if journal.ended.is_some() { Life::Ended } else { Life::CutOff };
            RunStatus { run: journal.run.clone(), state: life, seconds_since_renewal: None, journal: Some(journal) }
        }));
    };
    let seconds = match holder.seconds_since_renewal() {
        Some(seconds) => Some(seconds),
        None => watch(runner, &scope.system, holder).await?,
    };
    // One that has only just taken the Lease has written nothing yet.
    let journal = journal.filter(|journal| journal.run == holder.holder);
    let life = if seconds.is_some() { Life::AtWork } else { Life::CutOff };
    Ok(Some(RunStatus { run: holder.holder.clone(), state: life, seconds_since_renewal: seconds, journal }))
}

/// Watches whether a holder renews whose clock differs from ours, or who is dead. Returns how long ago it did.
async fn watch(runner: &Runner, system: &str, before: &LeaseState) -> Result<Option<u64>, ExecError> {
    let started = Instant::now();
    while started.elapsed() < RENEWAL_SHOWS {
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        if observe_lease(runner, system).await?.is_some_and(|now| now != *before) {
            return Ok(Some(0));
        }
    }
    Ok(None)
}

impl RunStatus {
    /// Says what is worth knowing of it; nothing of one that ended well.
    pub(super) fn text(&self) -> Option<String> {
        let command = self.journal.as_ref().map_or("a run", |journal| journal.command.as_str());
        let began = self.journal.as_ref().map(|journal| format!(", since {}", journal.began)).unwrap_or_default();
        match self.state {
            Life::AtWork => {
                let seconds = self.seconds_since_renewal.unwrap_or_default();
                let steps = self.steps(StepState::is_open);
                Some(format!("{command} of {} is at work{began}, heard of {seconds}s ago{steps}", self.run))
            }
            Life::CutOff => {
                let steps = self.steps(|state| !matches!(state, StepState::Done));
                let next = if command == "down" { "down" } else { "up" };
                Some(format!("{command} of {} was cut off{began}{steps}; `mlopsctl {next}` goes on", self.run))
            }
            Life::Ended => {
                let journal = self.journal.as_ref()?;
                let outcome = journal.outcome.filter(|outcome| *outcome != Outcome::Deployed)?;
                let ended = journal.ended.as_deref().unwrap_or("?");
                let steps = self.steps(|state| matches!(state, StepState::Failed));
                let word = if outcome == Outcome::Failed { "failed" } else { "was interrupted" };
                Some(format!("{command} of {} {word} at {ended}{steps}", self.run))
            }
        }
    }

    fn steps(&self, wanted: impl Fn(StepState) -> bool) -> String {
        let steps = self.journal.iter().flat_map(|journal| &journal.steps).filter(|(_, state)| wanted(**state));
        let words: Vec<String> = steps.map(|(name, state)| format!("{name} {}", state.name())).collect();
        if words.is_empty() { String::new() } else { format!(" ({})", words.join(", ")) }
    }
}
