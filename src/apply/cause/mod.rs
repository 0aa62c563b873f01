//! Why a release does not become ready: what the cluster says, matched against a table of causes.

mod find;
mod further;
mod kind;
mod lasting;
mod logs;
mod signs;
mod table;
mod words;

pub use find::find_cause;
pub(super) use find::needs_nodes;
pub use kind::{CauseKind, Sign, Source};
pub(super) use lasting::Lasting;
pub(super) use logs::LogBook;
pub(super) use signs::held;
pub use table::causes;
pub(super) use table::kind;

use serde::Serialize;

use crate::exec::ExecError;
use crate::render::{ObjectRef, Workload, WorkloadKind};
use table::outcomes::{HELM, INTERRUPTED, JOB, LOST, SKIPPED, TIMEOUT};

/// A cause with its evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Cause {
    /// The stable code.
    pub code: &'static str,
    /// What it means.
    pub title: &'static str,
    /// What the cluster, helm or a program said.
    pub evidence: String,
    /// The first thing to do.
    pub fix: String,
    /// Waiting longer is of no use.
    #[serde(skip)]
    pub permanent: bool,
    /// The pod that shows it.
    #[serde(skip)]
    pub(super) pod: Option<String>,
}

/// What the placeholders of a fix stand for.
#[derive(Debug, Clone, Copy, Default)]
struct Names<'a> {
    release: &'a str,
    namespace: &'a str,
    object: &'a str,
}

impl Cause {
    fn new(kind: &CauseKind, evidence: impl Into<String>, names: Names<'_>) -> Self {
        let evidence = evidence.into().lines().map(shortened).collect::<Vec<_>>().join("\n");
        // NAME is part of NAMESPACE.
        let fix = kind.fix.replace("NAMESPACE", names.namespace).replace("POD", names.object);
        let fix = fix.replace("RELEASE", names.release).replace("NAME", names.object);
        Self { code: kind.code, title: kind.title, evidence, fix, permanent: kind.permanent, pod: None }
    }

    /// helm ended with an error. What it says is matched as well.
    pub(super) fn of_helm(release: &str, namespace: &str, error: &ExecError) -> Self {
        if let ExecError::Interrupted { .. } = error {
            return Self::interrupted(release);
        }
        let text = match error.stderr() {
            "" => error.to_string(),
            // helm 4 logs what its last line says as well.
            stderr => {
                match stderr.lines().map(str::trim).filter(|line| !line.starts_with("level=")).collect::<Vec<_>>() {
                    lines if lines.is_empty() => stderr.to_owned(),
                    lines => lines.join("\n"),
                }
            }
        };
        Self::of_kind(tool_kind(error).unwrap_or(&HELM), release, namespace, &text)
    }

    /// kubectl could not tell how a release is, for a reason that has a code.
    pub(super) fn of_look(release: &str, namespace: &str, error: &ExecError) -> Option<Self> {
        Some(Self::of_kind(tool_kind(error)?, release, namespace, &error.to_string()))
    }

    pub(super) fn unreadable(release: &str, what: &str) -> Self {
        Self::new(&HELM, format!("{release}: {what}"), Names::default())
    }

    pub(super) fn timeout(namespace: &str, seconds: u32, waiting: &str) -> Self {
        Self::new(&TIMEOUT, format!("{waiting}, after {seconds}s"), Names { namespace, ..Names::default() })
    }

    pub(super) fn skipped(need: &str) -> Self {
        Self::new(&SKIPPED, format!("{need} is not ready"), Names::default())
    }

    pub(super) fn interrupted(release: &str) -> Self {
        Self::new(&INTERRUPTED, format!("the run was interrupted before {release} was done"), Names::default())
    }

    /// The cluster says something of a release that the table knows.
    pub(super) fn of_cluster(release: &str, namespace: &str, text: &str) -> Option<Self> {
        Some(Self::of_kind(shown_in(Source::Cluster, text)?, release, namespace, text))
    }

    /// helm keeps these words as the reason why a release failed.
    pub(super) fn of_words(release: &str, namespace: &str, text: &str) -> Self {
        Self::of_kind(shown_in(Source::Tool, text).unwrap_or(&HELM), release, namespace, text)
    }

    /// A cause that was found otherwise.
    pub(super) fn of_kind(kind: &CauseKind, release: &str, namespace: &str, evidence: &str) -> Self {
        let job = words::job_in(evidence).unwrap_or_default();
        let owner = words::owner_in(evidence, release, namespace);
        Self::new(kind, evidence, Names { release, namespace, object: &job }).with_lines(owner.as_slice())
    }

    /// The API server would refuse an object of the release.
    pub(super) fn of_refusal(kind: &CauseKind, release: &str, namespace: &str, object: &ObjectRef, text: &str) -> Self {
        let owner = words::owner_in(text, release, namespace);
        let names = Names { release, namespace, object: &object.name };
        Self::new(kind, format!("{object}: {text}"), names).with_lines(owner.as_slice())
    }

    /// Says whether this is no cause of its own: another release failed, or the run was interrupted.
    pub(crate) fn is_consequence(&self) -> bool {
        self.code == SKIPPED.code || self.code == INTERRUPTED.code
    }

    /// A workload has ended without success: a Job, or a claim whose volume is gone.
    pub(super) fn failed(workload: &Workload, message: &str) -> Self {
        let kind = if workload.kind == WorkloadKind::PersistentVolumeClaim { &LOST } else { &JOB };
        let names = Names { release: "", namespace: &workload.namespace, object: &workload.name };
        Self::new(kind, format!("{workload}: {message}"), names)
    }

    /// Adds lines of evidence.
    #[must_use]
    fn with_lines(mut self, lines: &[String]) -> Self {
        for line in lines {
            self.evidence.push('\n');
            self.evidence.push_str(&shortened(line));
        }
        self
    }

    /// Adds the last lines that a container wrote. Where they say more than the cause, they are the cause.
    #[must_use]
    fn with_log(mut self, release: &str, namespace: &str, lines: &[String]) -> Self {
        if lines.is_empty() {
            return self;
        }
        let said = lines.join("\n");
        if let Some(kind) = shown_in(Source::Log, &said).filter(|kind| kind.code != self.code) {
            let object = self.pod.as_deref().unwrap_or_default();
            let told = Self::new(kind, self.evidence.as_str(), Names { release, namespace, object });
            self = Self { pod: self.pod, ..told };
        }
        for line in said.lines() {
            self.evidence.push_str("\n> ");
            self.evidence.push_str(&shortened(line));
        }
        self
    }
}

/// Returns the cause that an error of helm or kubectl shows.
pub(crate) fn tool_kind(error: &ExecError) -> Option<&'static CauseKind> {
    let text = match error {
        ExecError::Timeout { .. } => return table::kind("MLC209"),
        ExecError::Spawn { source, .. } => source.to_string(),
        ExecError::Interrupted { .. } => return None,
        ExecError::Exit { stderr, .. } | ExecError::Signal { stderr, .. } => stderr.clone(),
    };
    shown_in(Source::Tool, &text)
}

/// Returns the first cause of the table whose signs are in a text from a source.
pub fn shown_in(source: Source, text: &str) -> Option<&'static CauseKind> {
    causes().find(|kind| kind.shows_in(source, text))
}

/// Cuts a line that quotes a whole object, as the API server does of an immutable field.
fn shortened(line: &str) -> String {
    const LIMIT: usize = 400;
    match line.char_indices().nth(LIMIT) {
        Some((end, _)) => format!("{} …", &line[..end]),
        None => line.to_owned(),
    }
}
