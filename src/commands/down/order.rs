//! Which release goes before which.

use std::collections::{BTreeMap, BTreeSet};

use super::custom::Kind;
use crate::exec::Runner;
use crate::helm;
use crate::plan::Removal;
use crate::render::documents;
use crate::stack::Stack;

/// The releases that go before each release.
pub(super) type Before = BTreeMap<String, BTreeSet<String>>;

/// Returns what goes before each release: whatever needs it, and whatever has objects of a kind that its chart brought, since
/// only the operator in it takes their finalizers off.
///
/// A pair is the release that goes first and the one that goes later. `needs` come first; of the others one that would close a
/// circle is left out.
pub(super) fn order(
    removals: &[Removal],
    needs: impl IntoIterator<Item = (String, String)>,
    kinds: impl IntoIterator<Item = (String, String)>,
) -> Before {
    let mut before: Before = removals.iter().map(|removal| (removal.name.clone(), BTreeSet::new())).collect();
    for (first, later) in needs.into_iter().chain(kinds) {
        let known = before.contains_key(&first) && before.contains_key(&later);
        if known && !goes_before(&before, &later, &first) {
            before.entry(later).or_default().insert(first);
        }
    }
    before
}

/// Says whether a release is another, or goes before it.
fn goes_before(before: &Before, release: &str, other: &str) -> bool {
    let mut seen = BTreeSet::new();
    let mut open = vec![other];
    while let Some(name) = open.pop() {
        if name == release {
            return true;
        }
        if seen.insert(name) {
            open.extend(before.get(name).into_iter().flatten().map(String::as_str));
        }
    }
    false
}

/// Returns the pairs that follow from the file: a release, and one that it needs.
pub(super) fn needs(stack: &Stack) -> Vec<(String, String)> {
    let pairs = |release: &crate::stack::Release| -> Vec<(String, String)> {
        release.needs.iter().map(|need| (release.name.clone(), need.release.clone())).collect()
    };
    stack.releases.iter().flat_map(pairs).collect()
}

/// Returns the pairs that follow from the manifests: a release, and the one whose chart brought the kind of one of its objects.
pub(super) async fn kinds(runner: &Runner, removals: &[Removal], kinds: &[Kind]) -> Vec<(String, String)> {
    let brought = |kind: &&Kind| removals.iter().any(|removal| removal.name == kind.release);
    let kinds: Vec<&Kind> = kinds.iter().filter(brought).collect();
    if kinds.is_empty() {
        return Vec::new();
    }
    let mut tasks = tokio::task::JoinSet::new();
    for Removal { name, namespace } in removals.iter().cloned() {
        let runner = runner.clone();
        tasks.spawn(async move {
            let manifest = runner.run(helm::manifest(&name, &namespace)).await;
            (name, manifest)
        });
    }
    let mut pairs = Vec::new();
    while let Some(done) = tasks.join_next().await {
        // Where helm has no manifest to show, the needs of the file are the order.
        let Ok((name, Ok(output))) = done else { continue };
        for object in documents(&output.stdout).unwrap_or_default() {
            let owners = kinds.iter().filter(|kind| kind.is_of(&object)).map(|kind| kind.release.clone());
            pairs.extend(owners.map(|owner| (name.clone(), owner)));
        }
    }
    pairs.sort();
    pairs.dedup();
    pairs
}

#[cfg(test)]
mod tests {
    use super::{Before, order};
    use crate::plan::Removal;

    fn removals(names: &[&str]) -> Vec<Removal> {
        names.iter().map(|name| Removal { name: (*name).to_owned(), namespace: "mlops-system".into() }).collect()
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(first, later)| ((*first).to_owned(), (*later).to_owned())).collect()
    }

    /// Takes releases away until none is free, and returns the rounds.
    fn rounds(before: &Before) -> Vec<Vec<&str>> {
        let mut open: Vec<&str> = before.keys().map(String::as_str).collect();
        let mut rounds = Vec::new();
        while !open.is_empty() {
            let waits = |name: &str| before[name].iter().any(|first| open.contains(&first.as_str()));
            let (waiting, free): (Vec<&str>, Vec<&str>) = open.iter().partition(|name| waits(name));
            assert!(!free.is_empty(), "{waiting:?} wait for each other");
            rounds.push(free);
            open = waiting;
        }
        rounds
    }

    #[test]
    fn users_go_before_what_they_need_and_before_the_operator_of_their_kinds() {
        let all = removals(&["argo", "cnpg", "mlflow", "monitoring", "pg-ha"]);
        let needs = pairs(&[("mlflow", "pg-ha"), ("mlflow", "gone")]);
        let kinds = pairs(&[("pg-ha", "cnpg"), ("mlflow", "monitoring"), ("argo", "monitoring"), ("cnpg", "cnpg")]);
        let order = order(&all, needs, kinds);
        assert_eq!(rounds(&order), [vec!["argo", "mlflow"], vec!["monitoring", "pg-ha"], vec!["cnpg"]]);
    }

    #[test]
    fn a_circle_does_not_hang_and_the_file_counts_more_than_the_manifests() {
        let all = removals(&["a", "b", "c"]);
        let order = order(&all, pairs(&[("a", "b")]), pairs(&[("b", "c"), ("b", "a"), ("c", "a")]));
        assert_eq!(rounds(&order), [["a"], ["b"], ["c"]]);
    }
}
