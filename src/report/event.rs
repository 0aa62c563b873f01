//! Events: the core sends them and knows no terminal.

use crate::apply::Cause;

use super::lines::StepAction;

/// A part of a run before its releases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Namespaces are made.
    Namespaces,
    /// Secrets are made.
    Secrets,
    /// CustomResourceDefinitions are applied.
    Crds,
}

impl Stage {
    /// Returns its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Namespaces => "namespaces",
            Self::Secrets => "secrets",
            Self::Crds => "crds",
        }
    }
}

/// Something that happened.
#[derive(Debug, Clone)]
pub enum Event {
    /// A stage began.
    Stage(Stage),
    /// Something worth knowing that is no error.
    Note(String),
    /// helm was started for a release.
    Started {
        /// The release.
        release: String,
        /// What happens to it.
        action: StepAction,
    },
    /// helm is done, the workloads are not yet ready.
    Applied {
        /// The release.
        release: String,
    },
    /// A look found something that is not ready.
    Waiting {
        /// The release.
        release: String,
        /// What it waits for.
        text: String,
        /// Why, if the cluster tells.
        cause: Option<Cause>,
    },
    /// A release is done.
    Finished {
        /// The release.
        release: String,
        /// What happened to it.
        action: StepAction,
        /// How long it took.
        seconds: f64,
        /// Why it failed or was skipped.
        cause: Option<Cause>,
    },
}

/// The sending end.
#[derive(Debug, Clone)]
pub struct Events(tokio::sync::mpsc::UnboundedSender<Event>);

/// The receiving end.
pub type Receiver = tokio::sync::mpsc::UnboundedReceiver<Event>;

impl Events {
    /// Returns both ends.
    pub fn channel() -> (Self, Receiver) {
        let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
        (Self(sender), receiver)
    }

    /// Sends an event; a reporter that is gone does not stop the run.
    pub fn send(&self, event: Event) {
        let _ = self.0.send(event);
    }
}
