//! What is kept of a stack in the cluster, beside helm's own Secrets.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::journal::Journal;
use super::revision::StackRevision;
use super::{MANAGED_BY_LABEL, MANAGER, STACK_LABEL};
use crate::render::Workload;

/// The name of the ConfigMap in the system namespace.
pub const RECORD_NAME: &str = "mlopsctl-stack";
const KEY: &str = "stack.json";
const JOURNAL_KEY: &str = "journal.json";
const REVISIONS_KEY: &str = "revisions.json";

/// The record of a stack: what saves a look at every manifest, the journal of the last run, and the revisions to go back to.
/// Losing it costs time and the way back, not truth.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StackRecord {
    /// The releases by name.
    #[serde(default)]
    pub releases: BTreeMap<String, ReleaseRecord>,
    /// The CRDs by the release whose chart brings them.
    #[serde(default)]
    pub crds: BTreeMap<String, CrdRecord>,
    /// The last run.
    #[serde(skip)]
    pub journal: Option<Journal>,
    /// What was in force after earlier runs, the newest last.
    #[serde(skip)]
    pub revisions: Vec<StackRevision>,
}

/// One release.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReleaseRecord {
    /// Its namespace.
    pub namespace: String,
    /// The revision whose manifest names the workloads.
    pub revision: u64,
    /// The chart and version.
    pub chart: String,
    /// The digest of all that went into it; empty in records of earlier versions.
    #[serde(default)]
    pub digest: String,
    /// The images of its workloads.
    #[serde(default)]
    pub images: Vec<String>,
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
    /// Reads the ConfigMap. A part that is not readable counts as missing, the others stand.
    pub fn from_config_map(object: &Value) -> Option<Self> {
        let part = |key: &str| object["data"][key].as_str();
        let parsed = part(KEY).and_then(|text| serde_json::from_str::<Self>(text).ok());
        let journal = part(JOURNAL_KEY).and_then(|text| serde_json::from_str(text).ok());
        let revisions = part(REVISIONS_KEY).and_then(|text| serde_json::from_str(text).ok());
        if parsed.is_none() && journal.is_none() && revisions.is_none() {
            return None;
        }
        Some(Self { journal, revisions: revisions.unwrap_or_default(), ..parsed.unwrap_or_default() })
    }

    /// Returns the ConfigMap.
    pub fn to_config_map(&self, namespace: &str, stack: &str) -> Value {
        let mut data = serde_json::Map::new();
        data.insert(KEY.into(), text(self));
        if let Some(journal) = &self.journal {
            data.insert(JOURNAL_KEY.into(), text(journal));
        }
        if !self.revisions.is_empty() {
            data.insert(REVISIONS_KEY.into(), text(&self.revisions));
        }
        json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": RECORD_NAME, "namespace": namespace, "labels": {MANAGED_BY_LABEL: MANAGER, STACK_LABEL: stack}},
            "data": data,
        })
    }

    /// Says whether the last run came to an end of its own.
    pub fn is_closed(&self) -> bool {
        self.journal.as_ref().is_none_or(|journal| journal.ended.is_some())
    }
}

fn text(value: &impl Serialize) -> Value {
    Value::String(serde_json::to_string(value).unwrap_or_default())
}
