//! One run at a time: a Lease in the system namespace.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{MANAGED_BY_LABEL, MANAGER, STACK_LABEL};
use crate::exec::{ExecError, Runner};
use crate::kubectl;

/// The name of the Lease.
pub(super) const NAME: &str = "mlopsctl";
/// A holder whose renewal does not move for this long on our clock is dead.
const DURATION: Duration = Duration::from_secs(15);
/// A third, so that two renewals may fail.
const RENEW: Duration = Duration::from_secs(5);
/// How often a foreign Lease is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// Why the Lease cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    /// Another run is at work.
    #[error("another run is at work on this stack: {holder}")]
    Held {
        /// Who it is: host, process id, a random part.
        holder: String,
    },
    /// The API server could not be asked.
    #[error(transparent)]
    Exec(#[from] ExecError),
}

/// The Lease as it was observed together with the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownLease {
    /// Its version: where it moves on, another run has been at work since.
    pub version: String,
    /// Who holds it.
    pub holder: Option<LeaseState>,
}

/// What a Lease says of the run that holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseState {
    /// Who holds it: host, process id, a random part.
    pub holder: String,
    /// When it was renewed, on the holder's clock.
    pub renewed: Option<jiff::Timestamp>,
}

impl LeaseState {
    /// Reads a Lease; none where nobody holds it.
    pub(super) fn of(object: &Value) -> Option<Self> {
        let holder = object["spec"]["holderIdentity"].as_str().filter(|holder| !holder.is_empty())?;
        let renewed = object["spec"]["renewTime"].as_str().and_then(|text| text.parse().ok());
        Some(Self { holder: holder.to_owned(), renewed })
    }

    /// Says how long ago it was renewed, in seconds; none where clocks differ so much that it means nothing, or where no
    /// living holder would have waited so long.
    pub fn seconds_since_renewal(&self) -> Option<u64> {
        let seconds = jiff::Timestamp::now().duration_since(self.renewed?).as_secs();
        u64::try_from(seconds).ok().filter(|seconds| *seconds <= DURATION.as_secs())
    }
}

/// How long a Lease must be watched to see a living holder renew it.
pub(crate) const RENEWAL_SHOWS: Duration = Duration::from_secs(RENEW.as_secs() + 2);

/// A Lease that is ours and renewed until it is given back.
#[derive(Debug)]
pub struct Lease {
    runner: Runner,
    namespace: String,
    lost: Arc<AtomicBool>,
    renewal: tokio::task::JoinHandle<()>,
    /// The object as last written, with the version that guards it.
    object: Arc<tokio::sync::Mutex<Value>>,
    fresh: bool,
}

impl Lease {
    /// Takes the Lease. Where another run holds it, watches whether that one is alive: a dead one is replaced. `note`
    /// gets a sentence where that takes time. `known` is what was observed together with the cluster.
    pub async fn acquire(
        runner: &Runner,
        namespace: &str,
        stack: &str,
        holder: String,
        known: Option<&KnownLease>,
        note: impl Fn(String),
    ) -> Result<Self, LeaseError> {
        let (object, fresh) = take(runner, namespace, stack, &holder, known, note).await?;
        let object = Arc::new(tokio::sync::Mutex::new(object));
        let lost = Arc::new(AtomicBool::new(false));
        let renewal = tokio::spawn(renew(runner.clone(), namespace.to_owned(), Arc::clone(&object), Arc::clone(&lost)));
        Ok(Self { runner: runner.clone(), namespace: namespace.to_owned(), lost, renewal, object, fresh })
    }

    /// Says whether nobody was at work since the cluster was observed. If somebody was, what was planned is out of date.
    pub fn is_fresh(&self) -> bool {
        self.fresh
    }

    /// Returns a flag that is set once the Lease could not be kept. Then no further step may start.
    pub fn lost_flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.lost)
    }

    /// Gives the Lease back. A failure costs the next run a wait, no more.
    pub async fn release(self) {
        self.release_with(None).await;
    }

    /// Gives the Lease back and replaces an object in the same call, before it. The object is written only while the Lease is
    /// ours: where it was lost, another run may have written since.
    pub async fn release_with(self, last_words: Option<Value>) {
        // Whoever holds the lock is not in the midst of a renewal, so the version is the newest.
        let mut object = self.object.lock().await.clone();
        self.renewal.abort();
        object["spec"]["holderIdentity"] = json!("");
        let last_words = last_words.filter(|_| !self.lost.load(Ordering::SeqCst));
        let Some(words) = last_words else {
            let _ = self.runner.run(kubectl::replace(&object, &self.namespace).isolated()).await;
            return;
        };
        if self.runner.run(kubectl::replace_all(&[words.clone(), object.clone()]).isolated()).await.is_err() {
            // Somebody deleted the object: it is made anew.
            let _ = self.runner.run(kubectl::apply(&[words], true).isolated()).await;
            let _ = self.runner.run(kubectl::replace(&object, &self.namespace).isolated()).await;
        }
    }
}

async fn renew(runner: Runner, namespace: String, object: Arc<tokio::sync::Mutex<Value>>, lost: Arc<AtomicBool>) {
    let mut renewed = Instant::now();
    loop {
        tokio::time::sleep(RENEW).await;
        let mut object = object.lock().await;
        object["spec"]["renewTime"] = json!(now());
        let begun = Instant::now();
        let call = runner.run(kubectl::replace(&object, &namespace).isolated().timeout(DURATION));
        tokio::pin!(call);
        // Others take the Lease over when it ran out, not when our call that hangs comes back.
        let result = tokio::select! {
            result = &mut call => result,
            () = tokio::time::sleep_until((renewed + DURATION).into()), if !lost.load(Ordering::SeqCst) => {
                lost.store(true, Ordering::SeqCst);
                call.await
            }
        };
        match result {
            Ok(output) => {
                if let Ok(written) = serde_json::from_str(&output.stdout) {
                    *object = written;
                }
                renewed = begun;
            }
            Err(error) if kubectl::conflict(&error) => lost.store(true, Ordering::SeqCst),
            Err(_) if renewed.elapsed() > DURATION => lost.store(true, Ordering::SeqCst),
            Err(_) => {}
        }
    }
}

async fn take(
    runner: &Runner,
    namespace: &str,
    stack: &str,
    holder: &str,
    known: Option<&KnownLease>,
    note: impl Fn(String),
) -> Result<(Value, bool), LeaseError> {
    let mut seen: Option<(String, Instant)> = None;
    let new = [lease(namespace, stack, holder)];
    // Where nobody was seen to hold it, it is ours unless somebody is faster; then a look says who.
    let first = match known {
        None => Some(runner.run(kubectl::create(&new)).await),
        Some(KnownLease { version, holder: None }) => {
            let mut object = new[0].clone();
            object["metadata"]["resourceVersion"] = json!(version);
            Some(runner.run(kubectl::replace(&object, namespace)).await)
        }
        Some(KnownLease { holder: Some(_), .. }) => None,
    };
    match first {
        Some(Ok(output)) => return Ok((serde_json::from_str(&output.stdout).unwrap_or_default(), true)),
        // Somebody deleted it.
        Some(Err(error)) if known.is_some() && error.stderr().contains("(NotFound)") => {}
        Some(Err(error)) if !was_faster(&error) => return Err(error.into()),
        _ => {}
    }
    loop {
        let found = runner.run(kubectl::get([format!("lease/{NAME}")], Some(namespace))).await?;
        let mut fresh = known.is_none();
        let attempt = match kubectl::items(&found.stdout).into_iter().next() {
            None => runner.run(kubectl::create(&new)).await,
            Some(mut object) => {
                let other = object["spec"]["holderIdentity"].as_str().unwrap_or_default().to_owned();
                let version = object["metadata"]["resourceVersion"].as_str().unwrap_or_default().to_owned();
                if !other.is_empty() {
                    match &seen {
                        Some((known, _)) if *known != version => return Err(LeaseError::Held { holder: other }),
                        Some((_, since)) if since.elapsed() < DURATION => {
                            tokio::time::sleep(LOOK).await;
                            continue;
                        }
                        Some(_) => {}
                        None => {
                            note(format!(
                                "another run holds the lease: {other}; waiting up to {}s to see whether it lives",
                                DURATION.as_secs()
                            ));
                            seen = Some((version, Instant::now()));
                            continue;
                        }
                    }
                }
                // A helm that outlived a dead holder may have done something while we watched.
                fresh = known.is_some_and(|known| known.version == version) && seen.is_none();
                object["spec"] = lease(namespace, stack, holder)["spec"].take();
                runner.run(kubectl::replace(&object, namespace)).await
            }
        };
        match attempt {
            Ok(output) => return Ok((serde_json::from_str(&output.stdout).unwrap_or_default(), fresh)),
            Err(error) if was_faster(&error) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Says whether somebody else wrote the Lease before us; the next look says who.
fn was_faster(error: &ExecError) -> bool {
    kubectl::already_exists(error) || kubectl::conflict(error)
}

fn lease(namespace: &str, stack: &str, holder: &str) -> Value {
    let time = now();
    json!({
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": NAME, "namespace": namespace, "labels": {MANAGED_BY_LABEL: MANAGER, STACK_LABEL: stack}},
        "spec": {
            "holderIdentity": holder,
            "leaseDurationSeconds": DURATION.as_secs(),
            "acquireTime": time,
            "renewTime": time,
        },
    })
}

/// Returns the time as Kubernetes' `MicroTime` wants it.
fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()
}
