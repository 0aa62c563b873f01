//! Charts: where they come from, what is in them, and the lock file that pins them.

mod archive;
mod lock;
mod store;

pub(crate) use archive::hex;
pub use archive::{content_digest, crds_of, read_chart, ChartError};
pub use lock::{Lock, LockEntry, LockError, LOCK_FILE};
pub use store::{Chart, ChartStore, FetchError};
