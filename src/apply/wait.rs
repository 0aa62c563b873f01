//! Waiting for the workloads of one release outside of a run of `up`.

use std::time::{Duration, Instant};

use super::cause::{Cause, Lasting, LogBook};
use super::poll::{Seen, Watched, look, pause_after};
use crate::exec::Runner;
use crate::render::Workload;

/// How long to wait between two looks.
const LOOK: Duration = Duration::from_millis(500);
/// What is said while the cluster cannot be looked at.
pub(super) const UNSEEN: &str = "the API server cannot be asked";

/// What to wait for, and how long.
#[derive(Debug, Clone)]
pub(crate) struct Wait<'a> {
    /// The release, for what is said about it.
    pub(crate) release: &'a str,
    /// Its namespace.
    pub(crate) namespace: &'a str,
    /// Its workloads.
    pub(crate) workloads: Vec<Workload>,
    /// How long it may take.
    pub(crate) limit: Duration,
    /// How long a cause that cannot heal by itself may last.
    pub(crate) grace: Duration,
}

/// Waits until all workloads are ready; a Job is when it is complete. Returns early with a cause that cannot heal by itself.
pub(crate) async fn wait_ready(runner: &Runner, wait: Wait<'_>) -> Result<(), Cause> {
    let Wait { release, namespace, workloads, limit, grace } = wait;
    let watched =
        [Watched { release: release.to_owned(), namespace: namespace.to_owned(), workloads, ready: Vec::new() }];
    let started = Instant::now();
    let book = LogBook::default();
    let mut lasting = Lasting::default();
    loop {
        if runner.is_interrupted() {
            return Err(Cause::interrupted(release));
        }
        let begun = Instant::now();
        let seen = look(runner, &watched, &book).await;
        let pause = pause_after(begun.elapsed(), LOOK);
        let (text, cause) = match seen.map(|seen| seen.into_iter().next().map(|(_, seen)| seen)) {
            Ok(Some(Seen::Ready)) => return Ok(()),
            Ok(Some(Seen::Waiting { text, cause })) => (text, cause),
            Ok(None) => ("nothing is known of it".to_owned(), None),
            // A look that failed says nothing of the release; the limit still counts.
            Err(error) => (UNSEEN.to_owned(), Cause::of_look(release, namespace, &error)),
        };
        let hopeless = lasting.see(cause.as_ref(), grace);
        if let Some(cause) = cause.as_ref().filter(|_| hopeless) {
            return Err(cause.clone());
        }
        if started.elapsed() >= limit {
            let seconds = u32::try_from(limit.as_secs()).unwrap_or(u32::MAX);
            return Err(cause.unwrap_or_else(|| Cause::timeout(namespace, seconds, &text)));
        }
        tokio::time::sleep(pause).await;
    }
}
