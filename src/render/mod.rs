//! Templates, values and manifests, as text and data.

mod engine;
mod manifest;
mod merge;

pub use engine::{Engine, RenderError};
pub use manifest::{documents, ManifestError, ObjectRef, Workload, WorkloadKind};
pub use merge::merge;
