//! The needs between releases: order, cycles, and what is left of them where a release is off.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::catalog::{NeedSpec, ReleaseSpec};
use super::resolve::{Need, StackError, condition};
use crate::render::Engine;

/// Sorts releases so that each stands behind what it needs; of several that could come next, the first in the file.
pub(super) fn sorted<'a>(specs: &[&'a ReleaseSpec]) -> Result<Vec<&'a ReleaseSpec>, StackError> {
    let mut order: Vec<&ReleaseSpec> = Vec::with_capacity(specs.len());
    let mut done = BTreeSet::new();
    while order.len() < specs.len() {
        let next = specs.iter().find(|spec| {
            !done.contains(spec.name.as_str()) && spec.needs.iter().all(|need| done.contains(need.release.as_str()))
        });
        let Some(next) = next else { return Err(StackError::Cycle { cycle: cycle(specs, &done) }) };
        done.insert(next.name.as_str());
        order.push(next);
    }
    Ok(order)
}

/// Walks needs among the releases that cannot be placed, until one comes again.
fn cycle(specs: &[&ReleaseSpec], done: &BTreeSet<&str>) -> Vec<String> {
    let mut path: Vec<&str> = Vec::new();
    let mut current = specs.iter().find(|spec| !done.contains(spec.name.as_str())).copied();
    while let Some(spec) = current {
        if let Some(start) = path.iter().position(|name| *name == spec.name) {
            return path[start..].iter().copied().chain([spec.name.as_str()]).map(str::to_owned).collect();
        }
        path.push(&spec.name);
        let next = spec.needs.iter().find(|need| !done.contains(need.release.as_str()));
        current = next.and_then(|need| specs.iter().find(|spec| spec.name == need.release)).copied();
    }
    path.into_iter().map(str::to_owned).collect()
}

/// The needs that hold for this config.
pub(super) struct Graph<'a> {
    enabled: &'a BTreeMap<String, bool>,
    edges: BTreeMap<&'a str, Vec<&'a NeedSpec>>,
}

impl<'a> Graph<'a> {
    pub(super) fn new(
        engine: &Engine,
        context: &Value,
        specs: &[&'a ReleaseSpec],
        enabled: &'a BTreeMap<String, bool>,
    ) -> Result<Self, StackError> {
        let mut edges = BTreeMap::new();
        for spec in specs {
            let mut holding = Vec::new();
            for need in &spec.needs {
                if need.when.as_deref().map_or(Ok(true), |when| condition(engine, &spec.name, when, context))? {
                    holding.push(need);
                }
            }
            edges.insert(spec.name.as_str(), holding);
        }
        Ok(Self { enabled, edges })
    }

    /// Returns the needs of a release; one on a disabled release is replaced by that release's own.
    pub(super) fn needs(&self, release: &str) -> Vec<Need> {
        let mut result: Vec<Need> = Vec::new();
        let mut open: Vec<&NeedSpec> = self.edges[release].iter().rev().copied().collect();
        while let Some(need) = open.pop() {
            if !self.enabled[&need.release] {
                open.extend(self.edges[need.release.as_str()].iter().rev());
            } else if let Some(known) = result.iter_mut().find(|known| known.release == need.release) {
                known.until = known.until.max(need.until);
            } else {
                result.push(Need { release: need.release.clone(), until: need.until, because: need.because.clone() });
            }
        }
        result
    }
}
