//! A release starts the moment its own needs are met.
//!
//! What is done with it, installed or rolled back, is the job's; order, limits, readiness and causes are the same for all.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::cause::{Cause, Lasting, LogBook};
use super::keeper::Keeper;
use super::poll::{LONGEST_PAUSE, Seen, Watched, look, pause_after};
use super::release::{self, Applied, Job, Work};
use super::wait::UNSEEN;
use crate::cluster::ReleaseRecord;
use crate::exec::{ExecError, Runner, Tools};
use crate::report::{Event, Events, StepAction, StepReport};
use crate::stack::{Need, Until};

/// How long to wait between two looks at first, when most workloads get ready. Those that take long are looked at less often.
const FIRST_PAUSE: Duration = Duration::from_millis(150);

/// How long releases that nothing needs let those start first that others wait for: as many helms at once as there are
/// releases would slow down the longest chain of needs, and with it the whole run.
const HEAD_START: Duration = Duration::from_secs(2);

/// What is said once where the API server was away for longer than the Lease lasts.
const LOST: &str =
    "the lease could not be renewed in time, so another run may have taken over: nothing more is started";

/// How long the scheduler waits for what.
#[derive(Debug, Clone, Copy)]
pub struct Waits {
    /// How long a cause that cannot heal by itself may last before the step is given up.
    pub grace: Duration,
    /// Releases that helm works on at the same time.
    pub parallel: usize,
}

/// How far a release is.
#[derive(Debug)]
enum Phase {
    Blocked,
    Applying,
    Waiting { deadline: Instant, lasting: Lasting },
    Done(StepAction),
}

struct Step<'a> {
    job: &'a Job,
    phase: Phase,
    started: Option<Instant>,
    /// Since when it is ready.
    ready: Option<Instant>,
    /// It was ready once and then was not: what ends again and again is ready in between.
    relapsed: bool,
    seconds: f64,
    cause: Option<Cause>,
    record: Option<ReleaseRecord>,
}

/// What to record, by release.
type Records = BTreeMap<String, ReleaseRecord>;

fn records(steps: &[Step<'_>]) -> Records {
    steps.iter().filter_map(|step| Some((step.job.release.name.clone(), step.record.clone()?))).collect()
}

enum Message {
    Applied(String, Result<Applied, Cause>),
    /// What a look saw, and how long it took.
    Seen(Result<Vec<(String, Seen)>, ExecError>, Duration),
}

/// Runs all jobs. Returns a report for each, in their order, and the records of those that were applied.
pub(super) struct Scheduler<'a> {
    pub(super) runner: &'a Runner,
    pub(super) tools: &'a Tools,
    pub(super) waits: Waits,
    pub(super) lost: Arc<AtomicBool>,
    pub(super) events: &'a Events,
    pub(super) book: LogBook,
    /// Takes down how far the run is; none where nothing is done.
    pub(super) keeper: Option<&'a Keeper>,
}

impl Scheduler<'_> {
    pub(super) async fn run(&self, jobs: &[Job]) -> (Vec<StepReport>, Records) {
        let mut steps: Vec<Step<'_>> = jobs.iter().map(|job| self.step(job)).collect();
        let mut tasks: JoinSet<Message> = JoinSet::new();
        let (mut looking, mut told, mut last_look) = (false, false, true);
        let mut next_look = Instant::now();
        let head_start = tokio::time::sleep(HEAD_START);
        tokio::pin!(head_start);
        loop {
            self.start(&mut steps, &mut tasks, !head_start.is_elapsed());
            let mut paused = !looking && steps.iter().any(|step| matches!(step.phase, Phase::Waiting { .. }));
            if paused && next_look <= Instant::now() {
                (paused, looking) = (false, true);
                self.look(&steps, &mut tasks);
            }
            if !told && self.lost.load(Ordering::SeqCst) {
                told = true;
                self.events.send(Event::Note(LOST.to_owned()));
            }
            let under_way = !tasks.is_empty();
            let message = tokio::select! {
                Some(message) = tasks.join_next() => Some(message),
                () = tokio::time::sleep_until(next_look.into()), if paused => continue,
                () = &mut head_start, if under_way && !head_start.is_elapsed() => continue,
                else => None,
            };
            let Some(message) = message else {
                // Nothing is under way any more.
                if !std::mem::take(&mut last_look) || !self.has_relapses(&mut steps).await {
                    break;
                }
                continue;
            };
            match message {
                Ok(Message::Applied(name, result)) => {
                    self.applied(&mut steps, &name, result);
                    next_look = next_look.min(Instant::now() + FIRST_PAUSE);
                }
                Ok(Message::Seen(result, took)) => {
                    looking = false;
                    self.seen(&mut steps, result);
                    let pause = (waiting_since(&steps).unwrap_or_default() / 40).clamp(FIRST_PAUSE, LONGEST_PAUSE);
                    next_look = Instant::now() + pause_after(took, pause);
                }
                // A task of ours ends early only by a bug; its release then stays unfinished and is reported so.
                Err(_) => looking = false,
            }
        }
        let records = records(&steps);
        (steps.into_iter().map(Step::report).collect(), records)
    }

    fn tell(&self, event: Event) {
        if let Some(keeper) = self.keeper {
            keeper.note(&event);
        }
        self.events.send(event);
    }

    fn step<'a>(&self, job: &'a Job) -> Step<'a> {
        let phase = if let Work::Nothing = job.work {
            let (release, action) = (job.release.name.clone(), StepAction::Unchanged);
            self.tell(Event::Finished { release, action, seconds: 0.0, cause: None });
            Phase::Done(StepAction::Unchanged)
        } else {
            Phase::Blocked
        };
        Step { job, phase, started: None, ready: None, relapsed: false, seconds: 0.0, cause: None, record: None }
    }

    /// Starts what can start, skips what never will. During the head start, what nothing needs waits for helm to be done
    /// with what is needed.
    fn start(&self, steps: &mut [Step<'_>], tasks: &mut JoinSet<Message>, head_start: bool) {
        let mut order: Vec<usize> = (0..steps.len()).collect();
        order.sort_by_key(|index| !is_needed(steps, &steps[*index]));
        for index in order {
            if !matches!(steps[index].phase, Phase::Blocked) {
                continue;
            }
            let name = steps[index].job.release.name.clone();
            if self.runner.is_interrupted() || self.lost.load(Ordering::SeqCst) {
                self.finish(&mut steps[index], StepAction::Skipped, Some(Cause::interrupted(&name)));
                continue;
            }
            let needs = &steps[index].job.release.needs;
            if let Some(need) = needs.iter().find(|need| steps.iter().any(|step| step.blocks_for_ever(need))) {
                let cause = Cause::skipped(&need.release);
                self.finish(&mut steps[index], StepAction::Skipped, Some(cause));
                continue;
            }
            let met = needs.iter().all(|need| steps.iter().any(|step| step.meets(need)));
            let is_ahead = |step: &Step<'_>| matches!(step.phase, Phase::Applying) && is_needed(steps, step);
            let yields = head_start && !is_needed(steps, &steps[index]) && steps.iter().any(is_ahead);
            let busy = steps.iter().filter(|step| matches!(step.phase, Phase::Applying)).count();
            if met && !yields && busy < self.waits.parallel {
                let step = &mut steps[index];
                step.phase = Phase::Applying;
                step.started = Some(Instant::now());
                self.tell(Event::Started { release: name.clone(), action: step.job.action });
                let (runner, tools, job) = (self.runner.clone(), self.tools.clone(), step.job.clone());
                tasks.spawn(async move { Message::Applied(name, release::apply(&runner, &tools, &job).await) });
            }
        }
    }

    fn look(&self, steps: &[Step<'_>], tasks: &mut JoinSet<Message>) {
        let waiting = steps.iter().filter(|step| matches!(step.phase, Phase::Waiting { .. }));
        let watched: Vec<Watched> = waiting.map(Step::watched).collect();
        let (runner, book) = (self.runner.clone(), self.book.clone());
        tasks.spawn(async move {
            let begun = Instant::now();
            let seen = look(&runner, &watched, &book).await;
            Message::Seen(seen, begun.elapsed())
        });
    }

    /// Takes a last look at all that this run brought into force, since a container without a readiness probe is ready until it
    /// crashes. What is not ready any more waits again; says whether anything does.
    async fn has_relapses(&self, steps: &mut [Step<'_>]) -> bool {
        let in_force = |step: &&Step<'_>| step.record.is_some() && !step.has_failed();
        let watched: Vec<Watched> = steps.iter().filter(in_force).map(Step::watched).collect();
        if watched.is_empty() || self.runner.is_interrupted() {
            return false;
        }
        // A look that failed says nothing of the releases.
        let Ok(seen) = look(self.runner, &watched, &self.book).await else { return false };
        let mut found = false;
        for (name, seen) in seen {
            let step = steps.iter_mut().find(|step| step.job.release.name == name);
            if let (Seen::Waiting { .. }, Some(step)) = (seen, step) {
                (step.ready, step.relapsed, found) = (None, true, true);
                step.phase = step.waiting();
            }
        }
        found
    }

    fn applied(&self, steps: &mut [Step<'_>], name: &str, result: Result<Applied, Cause>) {
        let Some(step) = steps.iter_mut().find(|step| step.job.release.name == name) else { return };
        match result {
            Ok(applied) => {
                step.record = Some(applied.record);
                step.phase = step.waiting();
                if let (Some(keeper), Some(made)) = (self.keeper, step.record.clone()) {
                    keeper.update(|record| _ = record.releases.insert(name.to_owned(), made));
                }
                self.tell(Event::Applied { release: name.to_owned() });
            }
            Err(_) if self.runner.is_interrupted() => {
                self.finish(step, StepAction::Failed, Some(Cause::interrupted(name)));
            }
            Err(cause) => self.finish(step, StepAction::Failed, Some(cause)),
        }
    }

    fn seen(&self, steps: &mut [Step<'_>], result: Result<Vec<(String, Seen)>, ExecError>) {
        let (seen, failed) = match result {
            Ok(seen) => (seen, None),
            // A look that failed says nothing of the releases; deadlines still count.
            Err(error) => (Vec::new(), Some(error)),
        };
        for step in steps.iter_mut() {
            let Phase::Waiting { deadline, mut lasting } = step.phase else { continue };
            let name = step.job.release.name.clone();
            if self.runner.is_interrupted() {
                self.finish(step, StepAction::Failed, Some(Cause::interrupted(&name)));
                continue;
            }
            let unseen = failed.as_ref().map(|error| Seen::Waiting {
                text: UNSEEN.to_owned(),
                cause: Cause::of_look(&name, &step.job.release.namespace, error),
            });
            let verdict = seen.iter().find(|(release, _)| *release == name).map(|(_, verdict)| verdict);
            match verdict.or(unseen.as_ref()) {
                Some(Seen::Ready) => {
                    let since = *step.ready.get_or_insert_with(Instant::now);
                    if !step.relapsed || since.elapsed() >= self.waits.grace {
                        self.finish(step, step.job.action, None);
                    }
                }
                Some(Seen::Waiting { text, cause }) => {
                    step.ready = None;
                    self.events.send(Event::Waiting { release: name, text: text.clone(), cause: cause.clone() });
                    let hopeless = lasting.see(cause.as_ref(), self.waits.grace);
                    if let Some(cause) = cause.clone().filter(|_| hopeless) {
                        self.finish(step, StepAction::Failed, Some(cause));
                    } else if Instant::now() >= deadline {
                        let release = &step.job.release;
                        let late = cause
                            .clone()
                            .unwrap_or_else(|| Cause::timeout(&release.namespace, release.timeout_seconds, text));
                        self.finish(step, StepAction::Failed, Some(late));
                    } else {
                        step.phase = Phase::Waiting { deadline, lasting };
                    }
                }
                // It was applied while the look was under way; the next one sees it.
                None => {}
            }
        }
    }

    fn finish(&self, step: &mut Step<'_>, action: StepAction, cause: Option<Cause>) {
        step.seconds = step.started.map_or(0.0, |started| started.elapsed().as_secs_f64());
        step.cause.clone_from(&cause);
        step.phase = Phase::Done(action);
        let release = step.job.release.name.clone();
        self.tell(Event::Finished { release, action, seconds: step.seconds, cause });
    }
}

/// Says whether another release waits for this one.
fn is_needed(steps: &[Step<'_>], step: &Step<'_>) -> bool {
    steps.iter().any(|other| other.job.release.needs.iter().any(|need| need.release == step.job.release.name))
}

/// Returns how long the release waits that began last.
fn waiting_since(steps: &[Step<'_>]) -> Option<Duration> {
    let waiting = steps.iter().filter(|step| matches!(step.phase, Phase::Waiting { .. }));
    waiting.filter_map(|step| Some(step.started?.elapsed())).min()
}

impl Step<'_> {
    /// Returns the phase in which it has its whole limit to get ready.
    fn waiting(&self) -> Phase {
        let limit = Duration::from_secs(u64::from(self.job.release.timeout_seconds));
        Phase::Waiting { deadline: Instant::now() + limit, lasting: Lasting::default() }
    }

    fn watched(&self) -> Watched {
        Watched {
            release: self.job.release.name.clone(),
            namespace: self.job.release.namespace.clone(),
            workloads: self.record.as_ref().map(|record| record.workloads.clone()).unwrap_or_default(),
            ready: self.job.release.ready.clone(),
        }
    }

    fn has_failed(&self) -> bool {
        matches!(self.phase, Phase::Done(StepAction::Failed | StepAction::Skipped))
    }

    fn meets(&self, need: &Need) -> bool {
        self.job.release.name == need.release
            && match &self.phase {
                Phase::Waiting { .. } => need.until == Until::Applied,
                Phase::Done(action) => !matches!(action, StepAction::Failed | StepAction::Skipped),
                Phase::Blocked | Phase::Applying => false,
            }
    }

    fn blocks_for_ever(&self, need: &Need) -> bool {
        self.job.release.name == need.release && self.has_failed()
    }

    fn report(self) -> StepReport {
        let action = match self.phase {
            Phase::Done(action) => action,
            _ => StepAction::Failed,
        };
        StepReport {
            release: self.job.release.name.clone(),
            namespace: self.job.release.namespace.clone(),
            action,
            seconds: self.seconds,
            cause: self.cause,
        }
    }
}
