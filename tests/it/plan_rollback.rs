//! The way back to a revision of the stack, from clusters made by hand.

use std::collections::BTreeMap;

use mlopsctl::cluster::{
    ClusterState, HelmRevision, Origin, Outcome, ReleaseRecord, ReleaseRevision, ReleaseState, ReleaseStatus,
    StackRecord, add_revision,
};
use mlopsctl::plan::{RollbackError, RollbackInputs, RollbackPlan, plan_rollback};
use mlopsctl::stack::Stack;

use crate::fixtures::stack;

const SYSTEM: &str = "mlops-system";

/// The cluster of the defaults after some runs; run n made revision n of every release that it names.
struct World {
    stack: Stack,
    state: ClusterState,
}

impl World {
    fn after(runs: &[&[&str]]) -> Self {
        let stack = stack("");
        let mut state = ClusterState { record: Some(StackRecord::default()), ..ClusterState::default() };
        for names in runs {
            for name in *names {
                let key = (SYSTEM.to_owned(), (*name).to_owned());
                let kept = state.revisions.entry(key.clone()).or_default();
                let revision = u64::try_from(kept.len()).unwrap() + 1;
                let digest = format!("{name}-{revision}");
                for it in kept.values_mut() {
                    it.status = ReleaseStatus::Superseded;
                }
                kept.insert(revision, HelmRevision { status: ReleaseStatus::Deployed, digest: Some(digest.clone()) });
                let (status, good_revision) = (ReleaseStatus::Deployed, Some(revision));
                let digest_revision = Some(revision);
                let now =
                    ReleaseState { revision, status, digest: Some(digest.clone()), digest_revision, good_revision };
                state.releases.insert(key, now);
                let record = state.record.as_mut().unwrap();
                let images = vec![format!("example.com/{name}:v1.{revision}.0-full")];
                let made =
                    ReleaseRecord { namespace: SYSTEM.into(), revision, digest, images, ..ReleaseRecord::default() };
                record.releases.insert((*name).to_owned(), made);
            }
            let record = state.record.as_mut().unwrap();
            let of = |name: &String| stack.releases.iter().find(|it| it.name == *name);
            let releases: BTreeMap<_, _> = record
                .releases
                .iter()
                .map(|(name, made)| (name.clone(), ReleaseRevision::of(made, of(name))))
                .collect();
            let (outcome, config) = (Outcome::Deployed, String::new());
            let origin = Origin { command: "up", outcome, config, rolled_back_to: None, backup: None };
            add_revision(&mut record.revisions, origin, releases);
        }
        Self { stack, state }
    }

    fn plan(
        &self,
        change: impl FnOnce(RollbackInputs<'_>) -> RollbackInputs<'_>,
    ) -> Result<RollbackPlan, Vec<RollbackError>> {
        let (stack, state) = (&self.stack, &self.state);
        let inputs = RollbackInputs { stack, state, number: None, backup: None, partial: false, prune: false };
        plan_rollback(&change(inputs))
    }

    fn now(&mut self, name: &str) -> &mut ReleaseState {
        self.state.releases.get_mut(&(SYSTEM.to_owned(), name.to_owned())).unwrap()
    }

    fn kept(&mut self, name: &str) -> &mut BTreeMap<u64, HelmRevision> {
        self.state.revisions.get_mut(&(SYSTEM.to_owned(), name.to_owned())).unwrap()
    }
}

/// What goes back, as `name from>to`.
fn moves(plan: &RollbackPlan) -> Vec<String> {
    let steps = plan.steps.iter().filter_map(|step| Some((&step.release.name, step.back.as_ref()?)));
    steps.map(|(name, back)| format!("{name} {}>{}", back.from, back.to)).collect()
}

#[test]
fn only_what_differs_goes_back_each_behind_what_it_needs() {
    let world = World::after(&[&["mlflow", "minio", "pg", "loki"], &["minio", "pg", "mlflow"]]);
    let plan = world.plan(|it| RollbackInputs { backup: Some("b"), ..it }).unwrap();
    assert_eq!(plan.target.number, 1);
    let moves = moves(&plan);
    assert_eq!(moves.last().unwrap(), "mlflow 2>1");
    assert_eq!(moves.len(), 3, "{moves:?}");
}

#[test]
fn the_default_is_the_newest_good_one_that_is_not_in_force() {
    let mut world = World::after(&[&["pg"], &["pg"], &["pg"]]);
    assert_eq!(world.plan(|it| it).unwrap().target.number, 2);
    // A run that failed made no revision: back to the last that did.
    world.now("pg").status = ReleaseStatus::Failed;
    assert_eq!(world.plan(|it| it).unwrap().target.number, 3);
    world.state.record.as_mut().unwrap().revisions[2].outcome = Outcome::Failed;
    assert_eq!(world.plan(|it| it).unwrap().target.number, 2);
    let refused = world.plan(|it| RollbackInputs { number: Some(3), ..it }).unwrap_err();
    assert_eq!(refused, [RollbackError::NotGood { number: 3, outcome: Outcome::Failed }]);
    let world = World::after(&[&["pg"]]);
    assert_eq!(world.plan(|it| it).unwrap_err(), [RollbackError::NoneBefore]);
}

#[test]
fn a_schema_holds_only_an_older_image_back() {
    let world = World::after(&[&["pg", "mlflow"], &["mlflow"]]);
    let errors = world.plan(|it| it).unwrap_err();
    assert!(matches!(&errors[..], [RollbackError::Schema { release, .. }] if release == "mlflow"), "{errors:?}");
    assert!(world.plan(|it| RollbackInputs { backup: Some("b"), ..it }).is_ok());
    let mut world = World::after(&[&["pg", "mlflow"], &["mlflow"]]);
    world.state.record.as_mut().unwrap().releases.get_mut("mlflow").unwrap().images =
        vec!["example.com/mlflow:v1.0.9-full".into()];
    assert!(world.plan(|it| it).is_ok(), "forward is what an upgrade does too");
}

#[test]
fn what_helm_forgot_is_named_or_left() {
    let mut world = World::after(&[&["pg", "minio"], &["pg", "minio"]]);
    world.kept("pg").remove(&1);
    let errors = world.plan(|it| it).unwrap_err();
    assert!(matches!(&errors[..], [RollbackError::Lost { release, .. }] if release == "pg"), "{errors:?}");
    let plan = world.plan(|it| RollbackInputs { partial: true, ..it }).unwrap();
    assert_eq!((moves(&plan), plan.lost.len()), (vec!["minio 2>1".to_owned()], 1));
    // Another revision of the same content does as well.
    world.now("pg").revision = 4;
    let same = HelmRevision { status: ReleaseStatus::Superseded, digest: Some("pg-1".into()) };
    world.kept("pg").insert(3, same);
    let plan = world.plan(|it| RollbackInputs { number: Some(1), ..it }).unwrap();
    assert_eq!(moves(&plan), ["minio 2>1", "pg 4>3"]);
}

#[test]
fn a_number_that_came_back_with_other_content_is_not_taken() {
    let mut world = World::after(&[&["pg"], &["pg"]]);
    world.kept("pg").get_mut(&1).unwrap().digest = Some("after a new install".into());
    assert!(matches!(&world.plan(|it| it).unwrap_err()[..], [RollbackError::Lost { .. }]));
}

#[test]
fn what_was_not_there_is_left_or_removed_dependants_first() {
    let world = World::after(&[&["pg"], &["minio", "mlflow"]]);
    let plan = world.plan(|it| it).unwrap();
    assert!(plan.is_empty() && plan.left.len() == 2, "{plan:?}");
    let plan = world.plan(|it| RollbackInputs { prune: true, ..it }).unwrap();
    let names: Vec<&str> = plan.removals.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["mlflow", "minio"]);
}

#[test]
fn what_others_made_is_not_touched() {
    let mut world = World::after(&[&["pg"], &["pg"]]);
    world.now("pg").digest = None;
    let errors = world.plan(|it| RollbackInputs { number: Some(1), ..it }).unwrap_err();
    assert!(matches!(&errors[..], [RollbackError::Foreign { .. }]), "{errors:?}");
}
