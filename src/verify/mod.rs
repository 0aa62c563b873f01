//! The proof that a stack does what it is for: a model is trained, registered, served and watched, in a namespace of its own.

mod clean;
mod report;
mod run;
mod serve;
mod stand_in;
mod train;
mod watch;

pub use report::{Outcome, StepName, StepReport, VerifyReport};
pub(crate) use run::{Limits, Verification, VerifyError};
