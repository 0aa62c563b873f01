//! What helm renders, as objects.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Why a manifest cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("the manifest is not YAML: {message}")]
pub struct ManifestError {
    message: String,
}

/// Names one object of a cluster.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectRef {
    /// API group and version.
    pub api_version: String,
    /// Kind.
    pub kind: String,
    /// Namespace; empty for cluster-scoped objects and where the manifest leaves it to helm.
    pub namespace: String,
    /// Name.
    pub name: String,
}

impl ObjectRef {
    /// Returns the reference of an object; `None` if it has no kind or name.
    pub fn of(object: &Value) -> Option<Self> {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        Some(Self {
            api_version: text(&object["apiVersion"])?,
            kind: text(&object["kind"])?,
            namespace: text(&object["metadata"]["namespace"]).unwrap_or_default(),
            name: text(&object["metadata"]["name"])?,
        })
    }
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.name)?;
        if self.namespace.is_empty() { Ok(()) } else { write!(f, " in {}", self.namespace) }
    }
}

/// Kinds of objects that become ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum WorkloadKind {
    /// A Deployment.
    Deployment,
    /// A StatefulSet.
    StatefulSet,
    /// A DaemonSet.
    DaemonSet,
    /// A Job.
    Job,
    /// A PersistentVolumeClaim.
    PersistentVolumeClaim,
}

impl WorkloadKind {
    /// Returns the kind of a manifest's object, if it is one that becomes ready.
    pub fn parse(kind: &str) -> Option<Self> {
        Some(match kind {
            "Deployment" => Self::Deployment,
            "StatefulSet" => Self::StatefulSet,
            "DaemonSet" => Self::DaemonSet,
            "Job" => Self::Job,
            "PersistentVolumeClaim" => Self::PersistentVolumeClaim,
            _ => return None,
        })
    }

    /// Returns the plural that kubectl lists objects of this kind by.
    pub fn resource(self) -> &'static str {
        match self {
            Self::Deployment => "deployments",
            Self::StatefulSet => "statefulsets",
            Self::DaemonSet => "daemonsets",
            Self::Job => "jobs",
            Self::PersistentVolumeClaim => "persistentvolumeclaims",
        }
    }
}

impl fmt::Display for WorkloadKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// An object that becomes ready.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Workload {
    /// Its kind.
    pub kind: WorkloadKind,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}/{}", self.kind, self.namespace, self.name)
    }
}

impl Workload {
    /// Returns the workloads of a manifest. `namespace` is that of the release, for objects that name none.
    pub fn of_manifest(objects: &[Value], namespace: &str) -> Vec<Self> {
        let mut workloads: Vec<Self> = objects
            .iter()
            .filter_map(|object| {
                let reference = ObjectRef::of(object)?;
                let kind = WorkloadKind::parse(&reference.kind)?;
                let namespace = if reference.namespace.is_empty() { namespace.to_owned() } else { reference.namespace };
                Some(Self { kind, namespace, name: reference.name })
            })
            .collect();
        workloads.sort();
        workloads
    }
}

/// Returns the images of all workloads of a manifest, each once.
pub fn images(objects: &[Value]) -> Vec<String> {
    let mut images: Vec<String> = Vec::new();
    for object in objects {
        let pod = match object["kind"].as_str() {
            Some("CronJob") => &object["spec"]["jobTemplate"]["spec"]["template"]["spec"],
            _ => &object["spec"]["template"]["spec"],
        };
        let containers = ["initContainers", "containers"].into_iter().filter_map(|part| pod[part].as_array()).flatten();
        images.extend(containers.filter_map(|container| container["image"].as_str().map(str::to_owned)));
    }
    images.sort();
    images.dedup();
    images
}

/// Parses the documents of a manifest; empty ones are left out.
pub fn documents(manifest: &str) -> Result<Vec<Value>, ManifestError> {
    let mut objects = Vec::new();
    for text in split(manifest) {
        let value: Value =
            super::from_yaml(text).map_err(|error| ManifestError { message: error.without_snippet().to_string() })?;
        if value.is_object() {
            objects.push(value);
        }
    }
    Ok(objects)
}

/// Splits at `---` lines, as helm writes them between documents.
fn split(manifest: &str) -> impl Iterator<Item = &str> {
    manifest
        .split("\n---")
        .map(|text| text.strip_prefix("---").unwrap_or(text))
        .filter(|text| text.lines().any(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#')))
}
