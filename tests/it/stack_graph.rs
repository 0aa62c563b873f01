//! Laws of the order of releases, over random graphs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use mlopsctl::config::Config;
use mlopsctl::stack::{Stack, StackError, StackFile, StackSource, Until, resolve};
use proptest::prelude::*;
use serde_json::json;

use crate::fixtures::{config, names, stacks};

/// Parsed once: a thousand graphs are resolved for it.
static DEFAULTS: LazyLock<Config> = LazyLock::new(|| config(""));

/// A graph of releases `r0`, `r1`, …: who is on, and who needs whom how far.
#[derive(Debug, Clone)]
struct Graph {
    on: Vec<bool>,
    edges: BTreeMap<(usize, usize), Until>,
}

impl Graph {
    fn resolve(&self) -> Result<Stack, StackError> {
        let releases: Vec<_> = (0..self.on.len())
            .map(|from| {
                let needs: Vec<_> = self
                    .edges
                    .iter()
                    .filter(|((source, _), _)| *source == from)
                    .map(|((_, to), until)| json!({"release": format!("r{to}"), "until": until, "because": "a test"}))
                    .collect();
                json!({"name": format!("r{from}"), "chart": {"name": "x"}, "when": self.on[from].to_string(), "needs": needs})
            })
            .collect();
        let catalog = json!({"apiVersion": "mlopsctl.dev/v1alpha1", "releases": releases});
        let catalog: StackFile = serde_json::from_value(catalog).unwrap();
        resolve(&DEFAULTS, &catalog, &StackSource::Embedded, &BTreeMap::new())
    }

    /// What a release needs once those that are off are taken out, by a search of its own.
    fn expected(&self, from: usize) -> BTreeMap<usize, Until> {
        let mut found: BTreeMap<usize, Until> = BTreeMap::new();
        let mut seen = BTreeSet::from([from]);
        let mut open = vec![from];
        while let Some(current) = open.pop() {
            for ((_, to), until) in self.edges.iter().filter(|((source, _), _)| *source == current) {
                if self.on[*to] {
                    let known = found.entry(*to).or_insert(*until);
                    *known = (*known).max(*until);
                } else if seen.insert(*to) {
                    open.push(*to);
                }
            }
        }
        found
    }
}

fn until() -> impl Strategy<Value = Until> {
    prop_oneof![Just(Until::Applied), Just(Until::Ready)]
}

/// Edges lead from later to earlier places of a random permutation, so there is no cycle.
fn acyclic() -> impl Strategy<Value = Graph> {
    (1_usize..9).prop_flat_map(|size| {
        let places = Just((0..size).collect::<Vec<_>>()).prop_shuffle();
        let edges = prop::collection::vec((0..size, 0..size, until()), 0..=2 * size);
        (prop::collection::vec(prop::bool::weighted(0.7), size), places, edges).prop_map(|(on, places, edges)| {
            let edges = edges
                .into_iter()
                .filter(|(a, b, _)| a != b)
                .map(|(a, b, until)| ((places[a.max(b)], places[a.min(b)]), until))
                .collect();
            Graph { on, edges }
        })
    })
}

/// An acyclic graph with one path bent back to its start; the names that the ring goes through.
fn cyclic() -> impl Strategy<Value = Graph> {
    (acyclic(), prop::collection::vec(any::<prop::sample::Index>(), 1..4), until()).prop_map(
        |(mut graph, ring, until)| {
            let mut ring: Vec<usize> = ring.iter().map(|index| index.index(graph.on.len())).collect();
            ring.dedup();
            for (at, from) in ring.iter().enumerate() {
                graph.edges.insert((*from, ring[(at + 1) % ring.len()]), until);
            }
            graph
        },
    )
}

fn number(name: &str) -> usize {
    name[1..].parse().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn each_release_stands_behind_what_it_needs(graph in acyclic()) {
        let stack = graph.resolve().unwrap();
        let order = names(&stack);
        let on: BTreeSet<String> = (0..graph.on.len()).filter(|it| graph.on[*it]).map(|it| format!("r{it}")).collect();
        prop_assert_eq!(order.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>(), on);
        prop_assert_eq!(order.iter().collect::<BTreeSet<_>>().len(), order.len());
        for (place, release) in stack.releases.iter().enumerate() {
            for need in &release.needs {
                prop_assert!(order[..place].contains(&need.release.as_str()), "{} before {}", release.name, need.release);
            }
        }
    }

    /// `down` takes the order backwards: nothing goes while something that needs it is there.
    #[test]
    fn backwards_each_release_goes_before_what_it_needs(graph in acyclic()) {
        let stack = graph.resolve().unwrap();
        let mut there: BTreeSet<&str> = names(&stack).into_iter().collect();
        for release in stack.releases.iter().rev() {
            there.remove(release.name.as_str());
            let left = stack.releases.iter().filter(|other| there.contains(other.name.as_str()));
            prop_assert!(left.flat_map(|other| &other.needs).all(|need| there.contains(need.release.as_str())));
        }
    }

    #[test]
    fn needs_lead_through_what_is_off_and_keep_the_stronger_wait(graph in acyclic()) {
        for release in &graph.resolve().unwrap().releases {
            let found: BTreeMap<usize, Until> = release.needs.iter().map(|need| (number(&need.release), need.until)).collect();
            prop_assert_eq!(found.len(), release.needs.len(), "a need comes once");
            prop_assert_eq!(found, graph.expected(number(&release.name)));
        }
    }

    #[test]
    fn the_order_does_not_change_from_run_to_run(graph in acyclic()) {
        let (one, two) = (graph.resolve().unwrap(), graph.resolve().unwrap());
        prop_assert_eq!(names(&one), names(&two));
    }

    #[test]
    fn a_ring_is_named_edge_by_edge(graph in cyclic()) {
        let Err(StackError::Cycle { cycle }) = graph.resolve() else { return Err(TestCaseError::fail("no cycle found")) };
        prop_assert!(cycle.len() >= 2 && cycle.first() == cycle.last(), "{:?}", cycle);
        prop_assert_eq!(cycle[1..].iter().collect::<BTreeSet<_>>().len(), cycle.len() - 1, "no detours: {:?}", cycle);
        for pair in cycle.windows(2) {
            prop_assert!(graph.edges.contains_key(&(number(&pair[0]), number(&pair[1]))), "{:?}", cycle);
        }
    }
}

/// Without needs, the order of the file is the order of the stack: a diff of two plans stays readable.
#[test]
fn what_nothing_orders_keeps_the_order_of_the_file() {
    let graph = Graph { on: vec![true; 6], edges: BTreeMap::from([((0, 5), Until::Ready)]) };
    assert_eq!(names(&graph.resolve().unwrap()), ["r1", "r2", "r3", "r4", "r5", "r0"]);
}

#[test]
fn the_real_stack_keeps_the_laws_for_every_config() {
    for (name, stack) in stacks() {
        let order = names(stack);
        for (place, release) in stack.releases.iter().enumerate() {
            for need in &release.needs {
                assert!(order[..place].contains(&need.release.as_str()), "{name}: {} {}", release.name, need.release);
            }
        }
    }
}
