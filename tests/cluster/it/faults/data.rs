//! Faults as data.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::cluster::PROJECT;

/// Where a fault is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Nodes {
    Simulated,
    Real,
}

/// One fault; `simulated.yaml` says what the fields mean.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Fault {
    #[serde(rename = "fault")]
    pub(super) name: String,
    pub(super) code: String,
    pub(super) evidence: String,
    #[serde(default)]
    pub(super) quick: bool,
    #[serde(default)]
    pod: Option<Value>,
    #[serde(default)]
    template: Option<Value>,
    #[serde(default)]
    objects: Vec<Value>,
    #[serde(default)]
    pub(super) first: Vec<Value>,
    #[serde(default)]
    pub(super) patch: Vec<String>,
    #[serde(default)]
    pub(super) before: Vec<Value>,
    #[serde(default)]
    pub(super) by: Option<String>,
    #[serde(default)]
    pub(super) limit: Option<u32>,
    #[serde(default)]
    pub(super) exit: Option<i32>,
    #[serde(default)]
    pub(super) namespace: Option<String>,
    #[serde(default)]
    pub(super) with: Option<String>,
    #[serde(skip)]
    pub(super) nodes: Option<Nodes>,
}

/// Reads the faults of a file.
pub(super) fn read(nodes: Nodes) -> Vec<Fault> {
    let name = if nodes == Nodes::Real { "real" } else { "simulated" };
    let path = Path::new(PROJECT).join("tests/cluster/it/faults").join(format!("{name}.yaml"));
    let mut faults: Vec<Fault> = serde_saphyr::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    for fault in &mut faults {
        fault.nodes = Some(nodes);
    }
    faults
}

impl Fault {
    /// Returns the objects of the release that has the fault.
    pub(super) fn objects(&self) -> Vec<Value> {
        let mut objects = self.objects.clone();
        if let Some(pod) = &self.pod {
            let mut metadata = self.template.clone().unwrap_or_else(|| json!({}));
            metadata["labels"] = json!({"app": "fault"});
            objects.push(json!({
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": {"name": "fault"},
                "spec": {
                    "selector": {"matchLabels": {"app": "fault"}},
                    "template": {"metadata": metadata, "spec": pod},
                },
            }));
        }
        objects
    }

    /// Puts names in the place of words: images, addresses.
    pub(super) fn fill(&mut self, words: &[(&str, String)]) {
        let replace = |value: &mut Value| {
            let mut text = value.to_string();
            for (word, meant) in words {
                text = text.replace(word, meant);
            }
            *value = serde_json::from_str(&text).unwrap();
        };
        self.objects.iter_mut().chain(&mut self.first).chain(&mut self.before).for_each(replace);
        self.pod.iter_mut().for_each(replace);
    }
}
