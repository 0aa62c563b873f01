//! The table of causes. What each code means in full, and the faults that give it, stand in `docs/causes/`.

mod access;
mod objects;
pub(super) mod outcomes;
mod pods;

use super::kind::CauseKind;

/// Returns all causes. Where the signs of several are there, the first one counts: the more telling ones come first.
pub fn causes() -> impl Iterator<Item = &'static CauseKind> + Clone {
    [pods::ROWS, objects::ROWS, access::ROWS, outcomes::ROWS].into_iter().flatten()
}

/// Returns the cause of a code that is in the table.
pub(in crate::apply) fn kind(code: &str) -> Option<&'static CauseKind> {
    causes().find(|kind| kind.code == code)
}
