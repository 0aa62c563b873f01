//! What the cluster says, and the little that `mlopsctl` keeps in it.

mod api_error;
mod journal;
mod lease;
mod record;
mod redact;
mod revision;
mod state;
mod workload;

pub use api_error::{ApiFault, classify};
pub use journal::{Journal, Outcome, StepState};
pub(crate) use lease::RENEWAL_SHOWS;
pub use lease::{KnownLease, Lease, LeaseError, LeaseState};
pub use record::{CrdRecord, RECORD_NAME, ReleaseRecord, StackRecord};
pub use redact::Redactor;
pub use revision::{Origin, ReleaseRevision, StackRevision, add_revision, differs};
pub use state::{ClaimState, ClusterState, HelmRevision, NamespaceState, ReleaseState, ReleaseStatus, Scope, observe};
pub(crate) use state::{observe_lease, workload_of};
pub use workload::{Readiness, readiness};
pub(crate) use workload::{condition, is_true};

/// Label of namespaces, Secrets and CRDs: the id of the stack that they belong to.
pub const STACK_LABEL: &str = "mlopsctl.dev/stack";
/// Label of namespaces that `mlopsctl` created, and so may delete.
pub const CREATED_LABEL: &str = "mlopsctl.dev/created";
/// Label of Secrets: changes whenever the content does.
pub const GENERATION_LABEL: &str = "mlopsctl.dev/generation";
/// Label of CRDs: the digest of the set that they were applied with.
pub const CRD_DIGEST_LABEL: &str = "mlopsctl.dev/digest";
/// Label of CRDs: the release whose chart they came from.
pub const CRD_RELEASE_LABEL: &str = "mlopsctl.dev/release";
/// The usual label for who manages an object.
pub const MANAGED_BY_LABEL: &str = "app.kubernetes.io/managed-by";
/// Our name in [`MANAGED_BY_LABEL`].
pub const MANAGER: &str = "mlopsctl";
