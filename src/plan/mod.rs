//! What is to be done, decided before anything is touched.

mod build;
mod decide;
mod digest;
mod diff;

pub use build::{build, CrdPlan, Inputs, NamespacePlan, Plan, PlanError, ReleasePlan, Removal, SecretPlan};
pub use decide::{decide, Action, Recovery};
pub use digest::{crd_digest, release_digest};
pub use diff::{diff_objects, mask, Change, ObjectDiff};
