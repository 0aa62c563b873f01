//! Whether the pods fit onto the nodes: the requests of what the charts really render, node by node.

use serde_json::Value;

use super::rendered::Rendered;
use super::{Check, Outcome};
use crate::exec::Runner;
use crate::kubectl;

const TITLE: &str = "the nodes have room for the pods";

/// CPU in millicores, memory in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Resources {
    cpu: u64,
    memory: u64,
}

impl Resources {
    fn fits(self, free: Self) -> bool {
        self.cpu <= free.cpu && self.memory <= free.memory
    }

    fn minus(self, other: Self) -> Self {
        Self { cpu: self.cpu.saturating_sub(other.cpu), memory: self.memory.saturating_sub(other.memory) }
    }

    fn plus(self, other: Self) -> Self {
        Self { cpu: self.cpu + other.cpu, memory: self.memory + other.memory }
    }
}

/// Packs the pods of all releases that are not installed onto what the nodes have left.
pub(super) async fn check(runner: &Runner, rendered: &[Rendered<'_>], objects: &[Value]) -> Check {
    let mut pods: Vec<(String, Resources)> = Vec::new();
    let mut everywhere = Resources::default();
    for it in rendered {
        let objects = it.objects.iter().filter(|object| object["metadata"]["annotations"]["helm.sh/hook"].is_null());
        for object in objects {
            let requests = pod_requests(&object["spec"]["template"]["spec"]);
            let replicas = object["spec"]["replicas"].as_u64().unwrap_or(1);
            match object["kind"].as_str() {
                Some("DaemonSet") => everywhere = everywhere.plus(requests),
                Some("Deployment" | "StatefulSet") => {
                    let name = object["metadata"]["name"].as_str().unwrap_or_default();
                    let label = format!("{}: {name}", it.release.name);
                    pods.extend((0..replicas).map(|_| (label.clone(), requests)));
                }
                _ => {}
            }
        }
    }
    let running = runner.run(kubectl::get(["pods"], None).arg("--all-namespaces")).await;
    let running = running.map(|output| kubectl::items(&output.stdout)).unwrap_or_default();
    let mut free = free_per_node(objects, &running, everywhere);
    let total = pods.iter().fold(everywhere, |sum, (_, it)| sum.plus(*it));
    match pack(&mut free, pods) {
        None => Check::new("capacity", TITLE, Outcome::Passed, format!("{} requested", show(total)), ""),
        Some((label, it)) => {
            let detail = format!("{label} requests {}, no node has that left", show(it));
            Check::new(
                "capacity",
                TITLE,
                Outcome::Warned,
                detail,
                "add memory or a node, or lower resources under `values`",
            )
        }
    }
}

/// Places the largest first; returns the first that finds no place.
fn pack(free: &mut [Resources], mut pods: Vec<(String, Resources)>) -> Option<(String, Resources)> {
    pods.sort_by_key(|(_, it)| std::cmp::Reverse(it.memory));
    for (label, it) in pods {
        match free.iter_mut().find(|node| it.fits(**node)) {
            Some(node) => *node = node.minus(it),
            None => return Some((label, it)),
        }
    }
    None
}

fn free_per_node(objects: &[Value], running: &[Value], everywhere: Resources) -> Vec<Resources> {
    objects
        .iter()
        .filter(|object| object["kind"] == "Node" && object["spec"]["unschedulable"] != true)
        .map(|node| {
            let all = resources(&node["status"]["allocatable"]);
            let used = running
                .iter()
                .filter(|pod| pod["spec"]["nodeName"] == node["metadata"]["name"])
                .filter(|pod| !matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed")))
                .fold(everywhere, |sum, pod| sum.plus(pod_requests(&pod["spec"])));
            all.minus(used)
        })
        .collect()
}

fn pod_requests(spec: &Value) -> Resources {
    let containers = spec["containers"].as_array().into_iter().flatten();
    containers.fold(Resources::default(), |sum, container| sum.plus(resources(&container["resources"]["requests"])))
}

fn resources(value: &Value) -> Resources {
    let amount = |name: &str| match &value[name] {
        Value::String(text) => quantity(text),
        Value::Number(number) => number.as_f64().unwrap_or(0.0),
        _ => 0.0,
    };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "amounts are positive and far below 2^53"
    )]
    Resources { cpu: (amount("cpu") * 1000.0).round() as u64, memory: amount("memory").round() as u64 }
}

/// Reads a Kubernetes quantity: `250m`, `512Mi`, `2`, `1e3`. What is not one counts as nothing.
fn quantity(text: &str) -> f64 {
    const SUFFIXES: &[(&str, f64)] = &[
        ("Ki", 1024.0),
        ("Mi", 1_048_576.0),
        ("Gi", 1_073_741_824.0),
        ("Ti", 1_099_511_627_776.0),
        ("m", 0.001),
        ("k", 1e3),
        ("M", 1e6),
        ("G", 1e9),
        ("T", 1e12),
    ];
    let suffix = SUFFIXES.iter().find_map(|(suffix, factor)| Some((text.strip_suffix(suffix)?, factor)));
    let (number, factor) = suffix.unwrap_or((text, &1.0));
    number.parse::<f64>().unwrap_or(0.0) * factor
}

fn show(it: Resources) -> String {
    format!("{}m CPU and {} MiB", it.cpu, it.memory / 1_048_576)
}
