//! How a step ended, where nothing in the cluster says why.

use crate::apply::cause::kind::CauseKind;

pub(in crate::apply::cause) const TIMEOUT: CauseKind = CauseKind {
    code: "MLC001",
    title: "not ready in time, no known cause",
    meaning: "The release's time limit has passed, and nothing in the cluster shows a cause of this table.",
    fix: "kubectl describe pods -n NAMESPACE",
    permanent: false,
    signs: &[],
};
pub(in crate::apply::cause) const HELM: CauseKind = CauseKind {
    code: "MLC002",
    title: "helm failed",
    meaning: "helm ended with an error that no other cause of this table explains.",
    fix: "mlopsctl up, after the reason above is mended",
    permanent: true,
    signs: &[],
};
pub(in crate::apply::cause) const JOB: CauseKind = CauseKind {
    code: "MLC003",
    title: "a Job failed",
    meaning: "A Job of the release ended without success.",
    fix: "kubectl logs -n NAMESPACE job/NAME",
    permanent: true,
    signs: &[],
};
pub(in crate::apply::cause) const SKIPPED: CauseKind = CauseKind {
    code: "MLC004",
    title: "a needed release failed",
    meaning: "The release was not tried, because one that it needs is not ready.",
    fix: "mend that release, then mlopsctl up",
    permanent: true,
    signs: &[],
};
pub(in crate::apply::cause) const INTERRUPTED: CauseKind = CauseKind {
    code: "MLC005",
    title: "interrupted",
    meaning: "The run was ended from outside before the release was done.",
    fix: "mlopsctl up",
    permanent: true,
    signs: &[],
};
pub(in crate::apply::cause) const LOST: CauseKind = CauseKind {
    code: "MLC006",
    title: "a claim has lost its volume",
    meaning: "The volume behind a claim is gone, with its data.",
    fix: "kubectl describe pvc -n NAMESPACE NAME",
    permanent: true,
    signs: &[],
};

/// Those that no sign shows.
pub(super) static ROWS: &[CauseKind] = &[TIMEOUT, HELM, JOB, SKIPPED, INTERRUPTED, LOST];
