//! Carrying a plan out.

mod cause;
mod crds;
mod dry_run;
mod examine;
mod keeper;
mod ledger;
mod namespaces;
mod poll;
mod release;
mod rollback;
mod run;
mod scheduler;
mod secrets;
mod wait;

pub(crate) use cause::tool_kind;
pub use cause::{Cause, CauseKind, Sign, Source, causes, find_cause, shown_in};
pub(crate) use crds::CrdError;
pub use crds::{CrdVerdict, Present, judge};
pub(crate) use dry_run::{Forecast, Trial, dry_run};
pub(crate) use examine::{Examined, examine};
pub(crate) use release::record_from_manifest;
pub use rollback::roll_back;
pub(crate) use run::remove;
pub use run::{Environment, RunError, apply};
pub use scheduler::Waits;
pub(crate) use wait::{Wait, wait_ready};
