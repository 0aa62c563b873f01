//! What of a stack is in the cluster, and what becomes of it.

use std::collections::BTreeMap;

use super::choice::Choice;
use super::custom::{self, Kind};
use crate::cluster::{ClusterState, STACK_LABEL};
use crate::error::CommandError;
use crate::exec::Runner;
use crate::kubectl;
use crate::plan::Removal;
use crate::report::{Contents, CustomResource, Definition, Fate, Inventory, Item, Registry, SecretEntry, Volume};
use crate::stack::{HoldSpec, ReleaseSpec, Stack};

/// What somebody who was asked says, or a few words on why there is no answer.
pub(super) type Answer<T> = Result<T, String>;

/// What is there to be taken away.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Releases in the order of removal.
    pub(super) removals: Vec<Removal>,
    /// Volume claims of our releases.
    pub(super) claims: Vec<Claim>,
    /// Releases that say what they hold.
    pub(super) holders: Vec<Holder>,
    /// The model registry, where it is installed.
    pub(super) models: Option<Models>,
    /// Secrets that we made: namespace and name.
    pub(super) secrets: Vec<(String, String)>,
    /// CRDs that we applied.
    pub(super) crds: Vec<String>,
    /// Their kinds.
    pub(super) kinds: Vec<Kind>,
    /// Objects of these kinds that are not ours.
    pub(super) foreign: Vec<CustomResource>,
    /// The Secrets that each release reads, for all releases of the files, those that are off among them.
    pub(super) reads: BTreeMap<String, Vec<String>>,
    /// The releases that each release needs.
    pub(super) needs: BTreeMap<String, Vec<String>>,
    /// The namespace of each Secret that is no copy.
    pub(super) homes: BTreeMap<String, String>,
}

/// A volume claim.
#[derive(Debug, Clone, Default)]
pub(super) struct Claim {
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) size: String,
    /// The release whose data it holds.
    pub(super) release: String,
    /// What the release is.
    pub(super) title: String,
    /// It is deleted with its release, whatever we do.
    pub(super) goes_with_release: bool,
}

/// A release that says what it holds.
#[derive(Debug, Clone)]
pub(super) struct Holder {
    pub(super) release: String,
    pub(super) title: String,
    pub(super) namespace: String,
    pub(super) spec: HoldSpec,
    /// It can be asked.
    pub(super) installed: bool,
    pub(super) answer: Answer<Vec<Item>>,
}

/// The model registry.
#[derive(Debug, Clone)]
pub(super) struct Models {
    pub(super) release: String,
    /// How many models and versions it has.
    pub(super) answer: Answer<(usize, usize)>,
}

/// Looks for everything of the stack. `specs` are the releases of all files, whether on or off.
pub(super) async fn find(
    runner: &Runner,
    stack: &Stack,
    specs: &[&ReleaseSpec],
    state: &ClusterState,
) -> Result<Found, CommandError> {
    let mut found = Found {
        removals: removals(stack, state),
        crds: custom::ours(state, &stack.id),
        reads: specs.iter().map(|spec| (spec.name.clone(), spec.secrets.clone())).collect(),
        needs: specs
            .iter()
            .map(|spec| (spec.name.clone(), spec.needs.iter().map(|it| it.release.clone()).collect()))
            .collect(),
        homes: stack.secrets.iter().map(|secret| (secret.name.clone(), secret.namespace.clone())).collect(),
        ..Found::default()
    };
    found.claims = claims(stack, specs, state, &found.removals);
    found.holders = holders(specs, &found);
    for namespace in state.namespaces.keys() {
        let selector = format!("{STACK_LABEL}={}", stack.id);
        let call = kubectl::get(["secrets"], Some(namespace)).args(["--selector", &selector]);
        for secret in kubectl::items(&runner.run(call).await?.stdout) {
            found.secrets.push((namespace.clone(), secret["metadata"]["name"].as_str().unwrap_or_default().to_owned()));
        }
    }
    if !found.crds.is_empty() {
        found.kinds = custom::kinds(runner, &stack.id).await?;
        found.foreign = custom::find_foreign(runner, &stack.id, &found.kinds, &found.removals).await?;
    }
    Ok(found)
}

/// Returns our releases, each before those that it needs; such as are not in the file any more come first.
fn removals(stack: &Stack, state: &ClusterState) -> Vec<Removal> {
    let recorded =
        state.record.iter().flat_map(|record| &record.releases).map(|(name, it)| (name.clone(), it.namespace.clone()));
    let configured = stack.releases.iter().rev().map(|release| (release.name.clone(), release.namespace.clone()));
    let mut result: Vec<Removal> = Vec::new();
    let known: Vec<(String, String)> = configured.collect();
    for (name, namespace) in recorded.filter(|it| !known.contains(it)).chain(known.iter().cloned()) {
        let found = state.releases.get(&(namespace.clone(), name.clone()));
        if found.is_some_and(|found| found.digest.is_some()) {
            result.push(Removal { name, namespace });
        }
    }
    result
}

/// Returns the claims of our releases, also of such as are uninstalled already. Where the names of two fit, the longer one is
/// meant: `pg-ha-cluster` is of `pg-ha`, not of `pg`.
fn claims(stack: &Stack, specs: &[&ReleaseSpec], state: &ClusterState, removals: &[Removal]) -> Vec<Claim> {
    let removed = removals.iter().map(|removal| (&removal.namespace, &removal.name));
    let recorded = state.record.iter().flat_map(|record| &record.releases).map(|(name, it)| (&it.namespace, name));
    let configured = stack.releases.iter().map(|release| (&release.namespace, &release.name));
    let known: Vec<(&String, &String)> = removed.chain(recorded).chain(configured).collect();
    let of = |claim: &crate::cluster::ClaimState| {
        let fitting = known.iter().filter(|(namespace, name)| claim.is_of(namespace, name));
        fitting.map(|(_, name)| (*name).clone()).max_by_key(String::len)
    };
    let claims = state.claims.iter().filter_map(|claim| {
        let release = of(claim)?;
        Some(Claim {
            namespace: claim.namespace.clone(),
            name: claim.name.clone(),
            size: claim.size.clone(),
            title: title(specs, &release),
            release,
            goes_with_release: claim.goes_with_release,
        })
    });
    claims.collect()
}

fn title(specs: &[&ReleaseSpec], release: &str) -> String {
    let title = specs.iter().find(|spec| spec.name == release).map(|spec| spec.title.clone());
    title.filter(|title| !title.is_empty()).unwrap_or_else(|| release.to_owned())
}

fn holders(specs: &[&ReleaseSpec], found: &Found) -> Vec<Holder> {
    let holders = specs.iter().filter_map(|spec| {
        let removal = found.removals.iter().find(|removal| removal.name == spec.name);
        let claim = found.claims.iter().find(|claim| claim.release == spec.name);
        let namespace = removal.map(|it| &it.namespace).or(claim.map(|it| &it.namespace))?.clone();
        Some(Holder {
            release: spec.name.clone(),
            title: title(specs, &spec.name),
            namespace,
            spec: spec.holds.clone()?,
            installed: removal.is_some(),
            answer: Err("cannot be asked: it is not installed".to_owned()),
        })
    });
    holders.collect()
}

impl Found {
    /// Says what becomes of it all.
    pub(super) fn with(&self, choice: &Choice) -> Inventory {
        let all_stay = |release: &str| self.claims_of(release).all(|claim| choice.keeps_claim(claim));
        let is_empty = |release: &str| self.claims_of(release).next().is_none();
        Inventory {
            volumes: self.claims.iter().map(|claim| volume(claim, choice)).collect(),
            contents: self
                .holders
                .iter()
                .map(|holder| {
                    // What is on no volume goes with the release.
                    let stays = !is_empty(&holder.release) && all_stay(&holder.release);
                    contents(holder, Fate::kept_if(stays))
                })
                .collect(),
            models: self.models.as_ref().map(|models| {
                let needs = self.needs.get(&models.release).into_iter().flatten();
                let stays = needs.chain([&models.release]).all(|release| all_stay(release));
                registry(models, Fate::kept_if(stays))
            }),
            secrets: self
                .secrets
                .iter()
                .map(|(namespace, name)| SecretEntry {
                    namespace: namespace.clone(),
                    name: name.clone(),
                    fate: Fate::kept_if(choice.keeps_secret(self, namespace, name)),
                })
                .collect(),
            crds: self
                .crds
                .iter()
                .map(|name| {
                    let in_use = self.foreign.iter().any(|object| object.crd == *name);
                    Definition { name: name.clone(), fate: Fate::kept_if(!choice.purge || in_use) }
                })
                .collect(),
            custom_resources: self.foreign.clone(),
        }
    }

    fn claims_of<'a>(&'a self, release: &'a str) -> impl Iterator<Item = &'a Claim> {
        self.claims.iter().filter(move |claim| claim.release == release)
    }
}

fn volume(claim: &Claim, choice: &Choice) -> Volume {
    Volume {
        release: claim.release.clone(),
        title: claim.title.clone(),
        namespace: claim.namespace.clone(),
        name: claim.name.clone(),
        size: claim.size.clone(),
        fate: Fate::kept_if(choice.keeps_claim(claim)),
    }
}

fn contents(holder: &Holder, fate: Fate) -> Contents {
    let Holder { release, title, namespace, spec, answer, .. } = holder.clone();
    let (items, problem) = match answer {
        Ok(items) => (items, None),
        Err(problem) => (Vec::new(), Some(problem)),
    };
    Contents { release, title, namespace, what: spec.what, items, problem, fate }
}

fn registry(models: &Models, fate: Fate) -> Registry {
    let Models { release, answer } = models.clone();
    let (counts, problem) = match answer {
        Ok(counts) => (Some(counts), None),
        Err(problem) => (None, Some(problem)),
    };
    let (models, versions) = counts.unzip();
    Registry { release, models, versions, problem, fate }
}
