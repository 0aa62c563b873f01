//! Carrying a plan out.

mod cause;
mod crds;
mod namespaces;
mod poll;
mod release;
mod run;
mod scheduler;
mod secrets;

pub use cause::{find_cause, Cause, CauseKind, CAUSES};
pub use crds::{judge, CrdVerdict};
pub(crate) use release::record_from_manifest;
pub(crate) use run::remove;
pub use run::{apply, Environment, RunError};
pub use scheduler::Waits;
