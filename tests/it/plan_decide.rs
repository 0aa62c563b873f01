//! What happens to a release, as a table over all states; and what a digest depends on.

use std::collections::BTreeMap;

use mlopsctl::cluster::{ClaimState, Readiness, ReleaseRecord, ReleaseState, ReleaseStatus};
use mlopsctl::plan::{Action, Recovery, crd_digest, decide, release_digest};
use mlopsctl::render::{Workload, WorkloadKind};
use mlopsctl::stack::{CrdSpec, Release};
use serde_json::json;

use crate::fixtures::stack;

const WANTED: &str = "wanted";

fn workload(name: &str) -> Workload {
    Workload { kind: WorkloadKind::Deployment, namespace: "mlops-system".into(), name: name.into() }
}

/// A release that is as it should be: revision 3, made with the wanted digest, its one workload ready.
struct Case {
    state: ReleaseState,
    record: Option<ReleaseRecord>,
    workloads: BTreeMap<Workload, Readiness>,
}

impl Case {
    fn new() -> Self {
        let state = ReleaseState {
            revision: 3,
            status: ReleaseStatus::Deployed,
            digest: Some(WANTED.into()),
            digest_revision: Some(3),
            good_revision: Some(3),
        };
        let record = ReleaseRecord {
            namespace: "mlops-system".into(),
            revision: 3,
            chart: "x 1".into(),
            workloads: vec![workload("web")],
            ..ReleaseRecord::default()
        };
        Self { state, record: Some(record), workloads: BTreeMap::from([(workload("web"), Readiness::Ready)]) }
    }

    /// A release of this status whose newest good revision is `good`.
    fn status(status: ReleaseStatus, good: Option<u64>) -> Self {
        let mut case = Self::new();
        case.state.status = status;
        case.state.good_revision = good;
        case
    }

    fn change(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    fn decide(&self) -> Action {
        decide(WANTED, Some(&self.state), self.record.as_ref(), &self.workloads, &[])
    }
}

fn repair(reason: &str, recovery: Option<Recovery>) -> Action {
    Action::Repair { reason: reason.into(), recovery }
}

#[test]
fn each_state_has_its_action() {
    use ReleaseStatus as S;
    let back = Some(Recovery::RollBack { revision: 2 });
    let cut = |status: &str| format!("revision 3 is {status}");
    let table = [
        ("as it should be", Case::new(), Action::Unchanged { revision: 3 }),
        (
            "another digest",
            Case::new().change(|it| it.state.digest = Some("other".into())),
            Action::Upgrade { from: 3 },
        ),
        (
            "upgraded by hand: the labels are inherited, their revision is an older one",
            Case::new().change(|it| it.state.digest_revision = Some(2)),
            repair("revision 3 was made by another hand", None),
        ),
        (
            "a label without a revision",
            Case::new().change(|it| it.state.digest_revision = None),
            repair("revision 3 was made by another hand", None),
        ),
        ("failed", Case::status(S::Failed, Some(2)), repair("revision 3 is failed", None)),
        ("failed at the first install", Case::status(S::Failed, None), repair("revision 3 is failed", None)),
        ("unknown", Case::status(S::Unknown, None), repair("revision 3 is unknown", None)),
        (
            "first install cut off",
            Case::status(S::PendingInstall, None),
            repair(&cut("pending-install"), Some(Recovery::Uninstall { keeps: vec![] })),
        ),
        ("upgrade cut off", Case::status(S::PendingUpgrade, Some(2)), repair(&cut("pending-upgrade"), back.clone())),
        (
            "upgrade of a release that never worked cut off",
            Case::status(S::PendingUpgrade, None),
            repair(&cut("pending-upgrade"), Some(Recovery::Uninstall { keeps: vec![] })),
        ),
        ("rollback cut off", Case::status(S::PendingRollback, Some(2)), repair(&cut("pending-rollback"), back)),
        (
            "uninstall cut off",
            Case::status(S::Uninstalling, Some(2)),
            repair(&cut("uninstalling"), Some(Recovery::Uninstall { keeps: vec![] })),
        ),
        ("uninstalled, history kept", Case::status(S::Uninstalled, Some(2)), Action::Install),
        ("only an old revision is left", Case::status(S::Superseded, Some(3)), Action::Install),
        (
            "made by somebody else",
            Case::new().change(|it| (it.state.digest, it.state.digest_revision) = (None, None)),
            Action::Foreign { revision: 3 },
        ),
        (
            "made by somebody else and failed",
            Case::status(S::Failed, None).change(|it| it.state.digest = None),
            Action::Foreign { revision: 3 },
        ),
        ("no record", Case::new().change(|it| it.record = None), repair("its workloads are not on record", None)),
        (
            "a record of another revision",
            Case::new().change(|it| it.record.as_mut().unwrap().revision = 2),
            repair("its workloads are not on record", None),
        ),
        (
            "a workload is gone",
            Case::new().change(|it| it.workloads.clear()),
            repair("Deployment mlops-system/web is gone", None),
        ),
        (
            "a workload is not ready",
            Case::new().change(|it| {
                it.workloads.insert(workload("web"), Readiness::Waiting("0 of 1 pods ready".into()));
            }),
            repair("Deployment mlops-system/web is not ready: 0 of 1 pods ready", None),
        ),
        (
            "a workload has failed",
            Case::new().change(|it| {
                it.workloads.insert(workload("web"), Readiness::Failed("deadline".into()));
            }),
            repair("Deployment mlops-system/web is not ready: deadline", None),
        ),
        (
            "a foreign workload beside it is none of ours",
            Case::new().change(|it| {
                it.workloads.insert(workload("other"), Readiness::Waiting("x".into()));
            }),
            Action::Unchanged { revision: 3 },
        ),
        (
            "a chart without workloads",
            Case::new().change(|it| {
                it.record.as_mut().unwrap().workloads.clear();
                it.workloads.clear();
            }),
            Action::Unchanged { revision: 3 },
        ),
    ];
    for (name, case, expected) in table {
        assert_eq!(case.decide(), expected, "{name}");
    }
    assert_eq!(decide(WANTED, None, None, &BTreeMap::new(), &[]), Action::Install, "absent");
}

/// Every word that helm has for a revision.
const STATUSES: [ReleaseStatus; 9] = [
    ReleaseStatus::Deployed,
    ReleaseStatus::Failed,
    ReleaseStatus::Superseded,
    ReleaseStatus::Uninstalled,
    ReleaseStatus::Uninstalling,
    ReleaseStatus::PendingInstall,
    ReleaseStatus::PendingUpgrade,
    ReleaseStatus::PendingRollback,
    ReleaseStatus::Unknown,
];

/// Somebody may be at work with helm this very moment: their `pending-install` must not be uninstalled.
#[test]
fn what_somebody_else_made_or_began_is_never_touched() {
    for status in STATUSES {
        for good in [None, Some(2)] {
            let case =
                Case::status(status, good).change(|it| (it.state.digest, it.state.digest_revision) = (None, None));
            let gone = matches!(status, ReleaseStatus::Uninstalled | ReleaseStatus::Superseded);
            let expected = if gone { Action::Install } else { Action::Foreign { revision: 3 } };
            assert_eq!(case.decide(), expected, "{status}");
        }
    }
}

/// Whatever else holds, a release is left alone only with our digest, at our revision, with all workloads ready.
#[test]
fn nothing_but_the_whole_truth_is_unchanged() {
    for status in STATUSES {
        for digest in [None, Some("other"), Some(WANTED)] {
            for digest_revision in [None, Some(2), Some(3)] {
                for recorded in [None, Some(2), Some(3)] {
                    for ready in [false, true] {
                        let case = Case::status(status, Some(2)).change(|it| {
                            it.state.digest = digest.map(str::to_owned);
                            it.state.digest_revision = digest_revision;
                            it.record = it
                                .record
                                .take()
                                .zip(recorded)
                                .map(|(record, revision)| ReleaseRecord { revision, ..record });
                            if !ready {
                                it.workloads.clear();
                            }
                        });
                        let whole = status == ReleaseStatus::Deployed
                            && digest == Some(WANTED)
                            && digest_revision == Some(3)
                            && recorded == Some(3)
                            && ready;
                        assert_eq!(matches!(case.decide(), Action::Unchanged { .. }), whole, "{:?}", case.state);
                    }
                }
            }
        }
    }
}

fn release() -> Release {
    let mut release = stack("").releases.swap_remove(0);
    release.values = json!({"a": 1, "b": {"c": [1, 2], "d": "x"}});
    release
}

#[test]
fn a_digest_fits_a_label() {
    let digest = release_digest(&release(), "chart", &["g"]);
    assert!(digest.len() == 40 && digest.chars().all(|letter| letter.is_ascii_hexdigit() && !letter.is_uppercase()));
}

#[test]
fn a_digest_does_not_depend_on_the_order_of_keys() {
    let mut turned = release();
    turned.values = json!({"b": {"d": "x", "c": [1, 2]}, "a": 1});
    assert_eq!(release_digest(&turned, "chart", &["g"]), release_digest(&release(), "chart", &["g"]));
}

#[test]
fn a_digest_does_not_depend_on_what_helm_does_not_get() {
    let digest = release_digest(&release(), "chart", &["g"]);
    let mut other = release();
    other.title = "another".into();
    other.needs.clear();
    other.timeout_seconds += 1;
    assert_eq!(release_digest(&other, "chart", &["g"]), digest);
}

/// A change of any of these must reach the cluster.
#[test]
fn a_digest_depends_on_chart_values_namespace_and_generations() {
    let with = |values: serde_json::Value| Release { values, ..release() };
    let elsewhere = Release { namespace: "elsewhere".into(), ..release() };
    let digests = [
        release_digest(&release(), "chart", &["g"]),
        release_digest(&release(), "other", &["g"]),
        release_digest(&elsewhere, "chart", &["g"]),
        release_digest(&release(), "chart", &["h"]),
        release_digest(&release(), "chart", &["g", "g"]),
        release_digest(&release(), "chart", &[]),
        release_digest(&with(json!({"a": 1, "b": {"c": [2, 1], "d": "x"}})), "chart", &["g"]),
        release_digest(&with(json!({"a": "1", "b": {"c": [1, 2], "d": "x"}})), "chart", &["g"]),
        release_digest(&with(json!({"a": 1, "b": {"c": [1, 2], "d": null}})), "chart", &["g"]),
        release_digest(&with(json!({"a": 1, "b": {"c": [1, 2]}, "d": "x"})), "chart", &["g"]),
    ];
    let different: std::collections::BTreeSet<&String> = digests.iter().collect();
    assert_eq!(different.len(), digests.len(), "{digests:#?}");
}

#[test]
fn the_digest_of_crds_depends_on_the_chart_and_how_they_are_rendered() {
    let spec = |render: serde_json::Value| -> CrdSpec { serde_json::from_value(json!({"render": render})).unwrap() };
    let one = crd_digest(&spec(json!({"a": 1, "b": 2})), "chart");
    assert_eq!(one, crd_digest(&spec(json!({"b": 2, "a": 1})), "chart"));
    assert_ne!(one, crd_digest(&spec(json!({"a": 1, "b": 3})), "chart"));
    assert_ne!(one, crd_digest(&spec(json!({"a": 1, "b": 2})), "other"));
    assert_ne!(one, crd_digest(&spec(json!(null)), "chart"));
}

#[test]
fn a_first_install_is_begun_anew_but_never_at_the_price_of_a_volume() {
    let mut case = Case::status(ReleaseStatus::PendingInstall, None);
    case.state.revision = 1;
    let claim = |bound, goes_with_release| ClaimState {
        namespace: "mlops-system".into(),
        name: "data".into(),
        size: "1Gi".into(),
        bound,
        instance: "x".into(),
        goes_with_release,
    };
    let recovery = |claim: ClaimState| match decide(WANTED, Some(&case.state), None, &BTreeMap::new(), &[&claim]) {
        Action::Repair { recovery, .. } => recovery.unwrap(),
        other => panic!("{other:?}"),
    };
    assert_eq!(recovery(claim(false, true)), Recovery::Uninstall { keeps: vec![] });
    assert_eq!(recovery(claim(true, false)), Recovery::Uninstall { keeps: vec!["data".into()] });
    assert_eq!(recovery(claim(true, true)), Recovery::Forget { saves: vec!["data".into()] });
}
