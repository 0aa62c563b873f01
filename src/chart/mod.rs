//! Charts: where they come from, what is in them, and the lock file that pins them.

mod archive;
mod lock;
mod store;
mod values;

pub(crate) use archive::hex;
pub use archive::{ChartError, content_digest, crds_of, read_chart};
pub use lock::{LOCK_FILE, Lock, LockEntry, LockError};
pub use store::{Chart, ChartStore, FetchError};
pub use values::{UnknownKey, unknown_keys};
