//! Which code of the table of causes an error of a command has.

use std::io::ErrorKind;

use crate::apply::{CrdError, tool_kind};
use crate::chart::{FetchError, LockError};
use crate::exec::ExecError;
use crate::plan::PlanError;

const FOREIGN: &str = "MLC113";
const MISSING_SECRET: &str = "MLC102";
const TERMINATING: &str = "MLC127";
const CRD: &str = "MLC136";
const NOT_FETCHED: &str = "MLC206";
const NOT_LOCKED: &str = "MLC207";
const DISK_FULL: &str = "MLC208";

/// Returns the code of an error, or of the one behind it that has one. None where it is no fault of cluster, charts or machine.
pub(crate) fn code(error: &anyhow::Error) -> Option<&'static str> {
    error.chain().find_map(|cause| {
        if let Some(error) = cause.downcast_ref::<FetchError>() {
            return of_fetch(error);
        }
        if let Some(LockError::Differs { .. }) = cause.downcast_ref() {
            return Some(NOT_LOCKED);
        }
        if let Some(CrdError::StoredVersion { .. }) = cause.downcast_ref() {
            return Some(CRD);
        }
        if let Some(error) = cause.downcast_ref::<ExecError>() {
            return tool_kind(error).map(|kind| kind.code);
        }
        cause.downcast_ref::<std::io::Error>().filter(|error| is_full(error)).map(|_| DISK_FULL)
    })
}

/// Returns the code of a reason against a plan.
pub(crate) fn of_plan(error: &PlanError) -> Option<&'static str> {
    match error {
        PlanError::Terminating { .. } => Some(TERMINATING),
        PlanError::Foreign { .. } => Some(FOREIGN),
        PlanError::MissingSecret { .. } | PlanError::IncompleteSecret { .. } => Some(MISSING_SECRET),
        PlanError::OtherStack { .. } => None,
    }
}

fn of_fetch(error: &FetchError) -> Option<&'static str> {
    match error {
        FetchError::Pull { source, .. } if source.stderr().contains("no space left on device") => Some(DISK_FULL),
        FetchError::Pull { .. } | FetchError::NotInFolder { .. } => Some(NOT_FETCHED),
        FetchError::Lock(LockError::Differs { .. }) => Some(NOT_LOCKED),
        FetchError::Cache(error) if is_full(error) => Some(DISK_FULL),
        FetchError::Lock(_) | FetchError::Source(_) | FetchError::Chart(_) | FetchError::Cache(_) => None,
    }
}

fn is_full(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
}
