//! What is kept of a stack in the cluster, beside helm's own Secrets.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{MANAGED_BY_LABEL, MANAGER, STACK_LABEL};
use crate::render::Workload;

/// The name of the ConfigMap in the system namespace.
pub const RECORD_NAME: &str = "mlopsctl-stack";
const KEY: &str = "stack.json";

/// The record of a stack: what saves a look at every manifest. Losing it costs time, not truth.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StackRecord {
    /// The releases by name.
    #[serde(default)]
    pub releases: BTreeMap<String, ReleaseRecord>,
    /// The CRDs by the release whose chart brings them.
    #[serde(default)]
    pub crds: BTreeMap<String, CrdRecord>,
}

/// One release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReleaseRecord {
    /// Its namespace.
    pub namespace: String,
    /// The revision whose manifest names the workloads.
    pub revision: u64,
    /// The chart and version.
    pub chart: String,
    /// The workloads of the manifest.
    pub workloads: Vec<Workload>,
}

/// The CRDs of one chart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CrdRecord {
    /// The digest that the CRDs are labelled with.
    pub digest: String,
    /// Their names.
    pub names: Vec<String>,
}

impl StackRecord {
    /// Reads the ConfigMap; one that is not readable counts as none.
    pub fn from_config_map(object: &Value) -> Option<Self> {
        serde_json::from_str(object["data"][KEY].as_str()?).ok()
    }

    /// Returns the ConfigMap.
    pub fn to_config_map(&self, namespace: &str, stack: &str) -> Value {
        json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": RECORD_NAME, "namespace": namespace, "labels": {MANAGED_BY_LABEL: MANAGER, STACK_LABEL: stack}},
            "data": {KEY: serde_json::to_string(self).unwrap_or_default()},
        })
    }
}
