//! The plan as a whole, from a stack and a cluster made by hand.

use std::collections::BTreeMap;

use mlopsctl::chart::{Chart, content_digest};
use mlopsctl::cluster::{
    CRD_DIGEST_LABEL, CRD_RELEASE_LABEL, CREATED_LABEL, ClusterState, CrdRecord, NamespaceState, ReleaseRecord,
    ReleaseState, ReleaseStatus, STACK_LABEL, StackRecord,
};
use mlopsctl::plan::{Action, Inputs, Plan, PlanError, build, crd_digest, release_digest};
use mlopsctl::stack::{ChartRef, Stack};

use crate::fixtures::stack;

struct World {
    stack: Stack,
    charts: BTreeMap<ChartRef, Chart>,
    state: ClusterState,
    generations: BTreeMap<String, String>,
}

impl World {
    /// An empty cluster.
    fn new(text: &str) -> Self {
        let stack = stack(text);
        let files = BTreeMap::new();
        let chart = Chart {
            path: "chart".into(),
            digest: content_digest(&files),
            version: "1.0.0".into(),
            files: files.into(),
            lock: None,
        };
        let charts = stack.releases.iter().map(|release| (release.chart.clone(), chart.clone())).collect();
        let generations = stack.secrets.iter().map(|secret| (secret.name.clone(), "g1".into())).collect();
        Self { stack, charts, state: ClusterState::default(), generations }
    }

    /// A cluster as a run leaves it.
    fn installed(text: &str) -> Self {
        let mut world = Self::new(text);
        let World { stack, charts, state, generations } = &mut world;
        for namespace in &stack.namespaces {
            let labels = [STACK_LABEL, CREATED_LABEL].map(|label| (label.to_owned(), stack.id.clone()));
            let found = NamespaceState { labels: labels.into(), terminating: false };
            state.namespaces.insert(namespace.name.clone(), found);
        }
        for secret in &stack.secrets {
            for namespace in secret.copies.iter().chain([&secret.namespace]) {
                state.secrets.insert((namespace.clone(), secret.name.clone()), Some("g1".into()));
            }
        }
        let mut record = StackRecord::default();
        for release in &stack.releases {
            let own: Vec<&str> = release.secrets.iter().map(|name| generations[name].as_str()).collect();
            let digest = release_digest(release, &charts[&release.chart].digest, &own);
            let found = ReleaseState {
                revision: 1,
                status: ReleaseStatus::Deployed,
                digest: Some(digest),
                digest_revision: Some(1),
                good_revision: Some(1),
            };
            state.releases.insert((release.namespace.clone(), release.name.clone()), found);
            let namespace = release.namespace.clone();
            let entry = ReleaseRecord { namespace, revision: 1, ..ReleaseRecord::default() };
            record.releases.insert(release.name.clone(), entry);
            if let Some(spec) = &release.crds {
                let (name, digest) =
                    (format!("{}.example", release.name), crd_digest(spec, &charts[&release.chart].digest));
                let labels = [(CRD_RELEASE_LABEL, &release.name), (CRD_DIGEST_LABEL, &digest)];
                state.crds.insert(name.clone(), labels.map(|(key, value)| (key.to_owned(), value.clone())).into());
                record.crds.insert(release.name.clone(), CrdRecord { digest, names: vec![name] });
            }
        }
        state.record = Some(record);
        world
    }

    fn plan(&self) -> Result<Plan, Vec<PlanError>> {
        let Self { stack, charts, state, generations } = self;
        build(&Inputs { stack, charts, state, generations })
    }

    fn action(&self, name: &str) -> Action {
        self.plan().unwrap().releases.into_iter().find(|it| it.release.name == name).unwrap().action
    }
}

fn errors(world: &World) -> Vec<String> {
    world.plan().expect_err("there is something against it").iter().map(ToString::to_string).collect()
}

#[test]
fn on_an_empty_cluster_everything_is_made() {
    let world = World::new("");
    let plan = world.plan().unwrap();
    assert!(!plan.is_empty());
    assert!(plan.namespaces.len() == 3 && plan.namespaces.iter().all(|namespace| namespace.create));
    assert!(plan.secrets.len() == world.stack.secrets.len() && plan.secrets.iter().all(|secret| secret.create));
    assert!(plan.releases.iter().all(|release| release.action == Action::Install));
    let crds: Vec<&str> = plan.crds.iter().map(|crds| crds.release.name.as_str()).collect();
    assert_eq!(crds, ["monitoring", "argo"]);
    let order: Vec<&str> = plan.releases.iter().map(|release| release.release.name.as_str()).collect();
    assert_eq!(order, crate::fixtures::names(&world.stack), "the order of the stack is that of the plan");
}

#[test]
fn after_a_run_nothing_is_left_to_do() {
    for text in ["", "profile: ha\n", "serving: {enabled: true}\nworkflows: {archive: true}\n"] {
        let plan = World::installed(text).plan().unwrap();
        assert!(plan.is_empty(), "{text}: {plan:?}");
    }
}

#[test]
fn a_new_generation_of_a_secret_restarts_those_who_read_it() {
    let mut world = World::installed("");
    world.generations.insert("mlflow-db".into(), "g2".into());
    let system = world.stack.namespaces[0].name.clone();
    world.state.secrets.insert((system, "mlflow-db".into()), Some("g2".into()));
    assert_eq!(world.action("mlflow"), Action::Upgrade { from: 1 });
    assert_eq!(world.action("pg"), Action::Upgrade { from: 1 });
    assert_eq!(world.action("minio"), Action::Unchanged { revision: 1 });
}

#[test]
fn a_missing_or_old_copy_of_a_secret_is_made_again() {
    let mut world = World::installed("");
    let copy = ("mlops-dev".to_owned(), "argo-s3".to_owned());
    for found in [None, Some(Some("g0".to_owned()))] {
        world.state.secrets.remove(&copy);
        world.state.secrets.extend(found.map(|generation| (copy.clone(), generation)));
        let plan = world.plan().unwrap();
        let secrets: Vec<(&str, bool, &[String])> =
            plan.secrets.iter().map(|it| (it.secret.name.as_str(), it.create, it.copies.as_slice())).collect();
        assert_eq!(secrets, [("argo-s3", false, &["mlops-dev".to_owned()][..])]);
    }
}

/// A copy that somebody made by hand has no generation; it wins, like any Secret that exists.
#[test]
fn a_copy_made_by_hand_is_kept() {
    let mut world = World::installed("");
    world.state.secrets.insert(("mlops-dev".into(), "argo-s3".into()), None);
    assert!(world.plan().unwrap().is_empty());
}

#[test]
fn what_is_not_in_the_file_any_more_is_removed() {
    let mut world = World::installed("serving: {enabled: true}\n");
    world.stack = stack("");
    let plan = world.plan().unwrap();
    let removals: Vec<(&str, &str)> =
        plan.removals.iter().map(|it| (it.name.as_str(), it.namespace.as_str())).collect();
    assert_eq!(removals, [("demo", "mlops-prod")]);
    // Once it is gone, the record alone removes nothing.
    world.state.releases.remove(&("mlops-prod".into(), "demo".into()));
    assert!(world.plan().unwrap().removals.is_empty());
}

#[test]
fn a_deleted_or_changed_crd_is_applied_again() {
    for other in [None, Some("other")] {
        let mut world = World::installed("");
        match other {
            Some(digest) => {
                let labels = world.state.crds.get_mut("argo.example").unwrap();
                labels.insert(CRD_DIGEST_LABEL.into(), digest.into());
            }
            None => drop(world.state.crds.remove("argo.example")),
        }
        let crds: Vec<String> = world.plan().unwrap().crds.into_iter().map(|crds| crds.release.name).collect();
        assert_eq!(crds, ["argo"], "{other:?}");
    }
}

/// A CRD that another release took over is not fought for.
#[test]
fn a_crd_of_another_owner_is_left_alone() {
    let mut world = World::installed("");
    world.state.crds.get_mut("argo.example").unwrap().clear();
    assert!(world.plan().unwrap().crds.is_empty());
}

#[test]
fn another_stack_on_the_cluster_is_refused() {
    let mut world = World::installed("");
    for (name, id) in [("mlops-system", "other"), ("mlops-dev", "third")] {
        world.state.namespaces.get_mut(name).unwrap().labels.insert(STACK_LABEL.into(), id.into());
    }
    let expected = [
        "namespace mlops-system belongs to the stack `other`, not to `mlops`",
        "namespace mlops-dev belongs to the stack `third`, not to `mlops`",
    ];
    assert_eq!(errors(&world), expected, "all reasons at once");
}

#[test]
fn a_namespace_on_its_way_out_is_refused() {
    let mut world = World::installed("");
    world.state.namespaces.get_mut("mlops-prod").unwrap().terminating = true;
    assert_eq!(errors(&world), ["namespace mlops-prod is being deleted"]);
}

#[test]
fn a_release_of_somebody_else_is_refused() {
    let mut world = World::new("");
    let found = ReleaseState {
        revision: 4,
        status: ReleaseStatus::Deployed,
        digest: None,
        digest_revision: None,
        good_revision: Some(4),
    };
    world.state.releases.insert(("mlops-system".into(), "minio".into()), found.clone());
    // The same name in a namespace that is not ours is somebody else's business.
    world.state.releases.insert(("default".into(), "pg".into()), found);
    assert_eq!(errors(&world), ["release minio in mlops-system exists (revision 4) and was not made by mlopsctl"]);
}

#[test]
fn a_secret_that_must_exist_is_named_with_its_keys() {
    let mut world = World::new("database: {provider: external, external: {host: db}}\n");
    assert_eq!(
        errors(&world),
        ["Secret mlflow-db in mlops-system does not exist; it needs the keys username, password, uri"]
    );
    world.state.secrets.insert(("mlops-system".into(), "mlflow-db".into()), None);
    let plan = world.plan().unwrap();
    assert!(plan.secrets.iter().all(|it| it.secret.name != "mlflow-db"), "it is not made");
}

#[test]
fn a_secret_made_by_hand_that_lacks_keys_is_named_with_them() {
    let mut world = World::installed("");
    let place = ("mlops-system".to_owned(), "mlflow-db".to_owned());
    world.state.secrets.insert(place.clone(), None);
    world.state.secret_keys.insert(place.clone(), vec!["password".into(), "extra".into()]);
    assert_eq!(errors(&world), ["Secret mlflow-db in mlops-system lacks the keys username, uri"]);
    let all = ["username", "password", "uri"].map(str::to_owned);
    world.state.secret_keys.insert(place, all.into());
    assert!(world.plan().is_ok());
}

/// A namespace that an administrator made is labelled once, and never deleted.
#[test]
fn a_namespace_made_by_hand_is_labelled() {
    let mut world = World::installed("");
    world.state.namespaces.get_mut("mlops-dev").unwrap().labels.clear();
    let plan = world.plan().unwrap();
    let namespaces: Vec<(&str, bool)> = plan.namespaces.iter().map(|it| (it.name.as_str(), it.create)).collect();
    assert_eq!(namespaces, [("mlops-dev", false)]);
}
