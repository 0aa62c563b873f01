//! Templates, values and manifests, as text and data.

mod engine;
mod manifest;
mod merge;
mod yaml;

pub use engine::{Engine, RenderError};
pub use manifest::{ManifestError, ObjectRef, Workload, WorkloadKind, documents, images};
pub use merge::merge;
pub use yaml::from_yaml;
