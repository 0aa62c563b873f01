//! Keeps the record of the stack in the cluster while a run goes on: at its start, and every few seconds where it changed.
//! The last words are the caller's, who gives the Lease back with them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Mutex as AsyncMutex, Notify};
use tokio::task::JoinHandle;

use crate::cluster::{StackRecord, StepState};
use crate::exec::Runner;
use crate::kubectl;
use crate::report::{Event, StepAction};

/// The least time between two writes: what is lost with a run that is cut off, and no more than the API server feels.
const INTERVAL: Duration = Duration::from_secs(5);

/// The record of a run that goes on.
#[derive(Debug)]
pub(crate) struct Keeper {
    shared: Arc<Shared>,
    writer: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    record: Mutex<StackRecord>,
    changed: Notify,
    /// Held while a write is under way.
    writing: AsyncMutex<()>,
}

/// Where the record is written to.
#[derive(Debug, Clone)]
pub(crate) struct Place<'a> {
    /// Runs kubectl.
    pub(crate) runner: &'a Runner,
    /// The system namespace.
    pub(crate) system: &'a str,
    /// The stack's id.
    pub(crate) stack: &'a str,
    /// Set once the Lease is lost: then another run writes.
    pub(crate) lost: Arc<AtomicBool>,
}

impl Keeper {
    /// Writes the record in the background, now and whenever it changed.
    pub(crate) fn start(place: Place<'_>, record: StackRecord) -> Self {
        let shared =
            Arc::new(Shared { record: Mutex::new(record), changed: Notify::new(), writing: AsyncMutex::new(()) });
        let (runner, lost) = (place.runner.clone(), place.lost);
        let (system, stack) = (place.system.to_owned(), place.stack.to_owned());
        let ours = Arc::clone(&shared);
        let writer = tokio::spawn(async move {
            loop {
                {
                    let _writing = ours.writing.lock().await;
                    let object = ours.locked().to_config_map(&system, &stack);
                    if !lost.load(Ordering::SeqCst) {
                        // Without it the next run reads the manifests instead: slower, not wrong.
                        let _ = runner.run(kubectl::apply(&[object], true).isolated()).await;
                    }
                }
                tokio::time::sleep(INTERVAL).await;
                ours.changed.notified().await;
            }
        });
        Self { shared, writer }
    }

    /// Changes the record.
    pub(crate) fn update(&self, change: impl FnOnce(&mut StackRecord)) {
        change(&mut self.shared.locked());
        self.shared.changed.notify_one();
    }

    /// Takes down what an event says of a step.
    pub(crate) fn note(&self, event: &Event) {
        let (release, state) = match event {
            Event::Started { release, .. } => (release, StepState::Applying),
            Event::Applied { release } => (release, StepState::Waiting),
            Event::Finished { release, action, .. } => {
                let state = match action {
                    // It is no step.
                    StepAction::Unchanged => return,
                    StepAction::Failed => StepState::Failed,
                    StepAction::Skipped => StepState::Skipped,
                    StepAction::Installed
                    | StepAction::Upgraded
                    | StepAction::Repaired
                    | StepAction::RolledBack
                    | StepAction::Removed => StepState::Done,
                };
                (release, state)
            }
            Event::Stage(_) | Event::Note(_) | Event::Waiting { .. } => return,
        };
        self.update(|record| {
            if let Some(journal) = &mut record.journal {
                journal.steps.insert(release.clone(), state);
            }
        });
    }

    /// Ends the writing, once a write that is under way is through, and returns the record.
    pub(crate) async fn finish(self) -> StackRecord {
        let _writing = self.shared.writing.lock().await;
        self.writer.abort();
        self.shared.locked().clone()
    }
}

impl Shared {
    fn locked(&self) -> std::sync::MutexGuard<'_, StackRecord> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
