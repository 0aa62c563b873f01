//! The revisions of a stack: what is kept of them, and what cannot be read.

use std::collections::BTreeMap;

use mlopsctl::cluster::{Origin, Outcome, ReleaseRecord, ReleaseRevision, StackRecord, add_revision};
use serde_json::json;

fn origin(outcome: Outcome) -> Origin {
    Origin { command: "up", outcome, config: "c".into(), rolled_back_to: None, backup: None }
}

fn releases(revision: u64) -> BTreeMap<String, ReleaseRevision> {
    let record = ReleaseRecord { revision, digest: format!("d{revision}"), ..ReleaseRecord::default() };
    (0..12).map(|n| (format!("release-{n}"), ReleaseRevision::of(&record, None))).collect()
}

#[test]
fn ten_are_kept_and_failures_go_first() {
    let mut revisions = Vec::new();
    for n in 0..30 {
        let outcome = if n % 2 == 1 && n < 28 { Outcome::Failed } else { Outcome::Deployed };
        assert!(add_revision(&mut revisions, origin(outcome), releases(n)));
    }
    let numbers: Vec<u64> = revisions.iter().map(|it| it.number).collect();
    assert_eq!(numbers, [13, 15, 17, 19, 21, 23, 25, 27, 29, 30]);
    assert!(revisions.iter().all(|it| it.outcome == Outcome::Deployed));
}

#[test]
fn what_is_in_force_already_is_no_new_revision() {
    let mut revisions = Vec::new();
    assert!(add_revision(&mut revisions, origin(Outcome::Deployed), releases(1)));
    assert!(!add_revision(&mut revisions, origin(Outcome::Deployed), releases(1)));
    let other = Origin { config: "d".into(), ..origin(Outcome::Deployed) };
    assert!(add_revision(&mut revisions, other, releases(1)));
    assert_eq!(revisions.len(), 2);
}

#[test]
fn the_record_keeps_what_it_can_read_and_stays_small() {
    let mut record = StackRecord::default();
    for n in 0..10 {
        add_revision(&mut record.revisions, origin(Outcome::Deployed), releases(n));
    }
    let mut object = record.to_config_map("mlops-system", "s");
    assert!(object.to_string().len() < 64 * 1024, "{}", object.to_string().len());
    assert_eq!(StackRecord::from_config_map(&object), Some(record.clone()));
    object["data"]["stack.json"] = json!("{");
    let read = StackRecord::from_config_map(&object).unwrap();
    assert_eq!((read.revisions.len(), read.releases.len()), (10, 0));
    object["data"]["revisions.json"] = json!("[{}]");
    assert_eq!(StackRecord::from_config_map(&object), None);
}
