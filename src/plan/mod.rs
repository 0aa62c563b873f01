//! What is to be done, decided before anything is touched.

mod build;
mod decide;
mod diff;
mod digest;
mod drift;
mod rollback;

pub use build::{CrdPlan, Inputs, NamespacePlan, Plan, PlanError, ReleasePlan, Removal, SecretPlan, build};
pub use decide::{Action, Recovery, decide};
pub use diff::{Change, ObjectDiff, diff_objects, mask, steadied};
pub use digest::{config_digest, crd_digest, plan_digest, release_digest, rollback_digest};
pub use drift::{Drift, drift, is_within};
pub use rollback::{Back, RollbackError, RollbackInputs, RollbackPlan, RollbackStep, plan_rollback};
