//! Telling real pods from those of simulated nodes, on which nothing runs.

use std::collections::BTreeSet;

use crate::exec::{ExecError, Runner};
use crate::kubectl;
use crate::service::Service;

/// The annotation that kwok gives to the nodes that it simulates.
const SIMULATED: (&str, &str) = ("kwok.x-k8s.io/node", "fake");

/// What stands behind a Service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Backend {
    /// At least one pod on a real node.
    Real,
    /// Pods on simulated nodes only.
    Simulated,
    /// No pod at all.
    Nothing,
}

/// Looks at the pods behind a Service. Where nodes cannot be read, their pods count as real.
pub(super) async fn backend(runner: &Runner, service: &Service) -> Result<Backend, ExecError> {
    let selector = format!("kubernetes.io/service-name={}", service.name);
    let slices = kubectl::get(["endpointslices", "--selector", selector.as_str()], Some(&service.namespace));
    let (slices, nodes) = tokio::join!(runner.run(slices), runner.run(kubectl::get(["nodes"], None)));
    let nodes = nodes.map(|output| kubectl::items(&output.stdout)).unwrap_or_default();
    let simulated: BTreeSet<&str> = nodes
        .iter()
        .filter(|node| node["metadata"]["annotations"][SIMULATED.0] == SIMULATED.1)
        .filter_map(|node| node["metadata"]["name"].as_str())
        .collect();
    let slices = kubectl::items(&slices?.stdout);
    let mut endpoints = slices.iter().flat_map(|slice| slice["endpoints"].as_array().into_iter().flatten()).peekable();
    if endpoints.peek().is_none() {
        return Ok(Backend::Nothing);
    }
    let real = endpoints.any(|endpoint| !endpoint["nodeName"].as_str().is_some_and(|node| simulated.contains(node)));
    Ok(if real { Backend::Real } else { Backend::Simulated })
}
