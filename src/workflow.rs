//! Argo's objects: the stack's pipelines, and the runs of them.
//!
//! Source of names and shapes: Argo Workflows 4, `WorkflowTemplate` and `WorkflowStatus` of its API reference.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use crate::render::{ManifestError, documents};
use crate::stack::{SourceError, StackSource};

/// Label that Argo gives to the pods of a run.
pub const RUN_LABEL: &str = "workflows.argoproj.io/workflow";
/// Label of a run: the template that it was made of.
const TEMPLATE_LABEL: &str = "workflows.argoproj.io/workflow-template";

/// Why the pipelines cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum PipelineError {
    /// A file is missing.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A file is not YAML.
    #[error("{path}: {source}")]
    Manifest {
        /// The file.
        path: String,
        /// What is wrong with it.
        source: ManifestError,
    },
}

/// A WorkflowTemplate of the stack.
#[derive(Debug, Clone)]
pub struct Pipeline {
    /// Its name.
    pub name: String,
    /// The names of its parameters.
    pub parameters: Vec<String>,
    /// The object.
    pub template: Value,
}

/// A Workflow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Run {
    /// Its name.
    pub name: String,
    /// The template that it was made of; empty where it brings its own.
    pub pipeline: String,
    /// Argo's word for how it is; empty until the controller has seen it.
    pub phase: String,
    /// Why it failed.
    pub message: String,
    /// Steps that are done, of all.
    pub progress: String,
    /// When it was made, in RFC 3339.
    pub created: String,
    /// How long it took or takes by now, in seconds.
    pub seconds: Option<i64>,
    /// Its output parameters.
    pub outputs: BTreeMap<String, String>,
    /// Its steps, in the order in which they began.
    pub steps: Vec<Step>,
}

/// A step of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// Its name in the template.
    pub name: String,
    /// Argo's word for how it is.
    pub phase: String,
    /// Why it failed.
    pub message: String,
    #[serde(skip)]
    started: String,
}

/// Returns the pipelines of a stack: every WorkflowTemplate under `workflows/`.
pub fn pipelines(source: &StackSource) -> Result<Vec<Pipeline>, PipelineError> {
    let mut pipelines = Vec::new();
    for path in source.list("workflows", ".yaml")? {
        let text = source.read(&path)?;
        let objects = documents(&text).map_err(|source| PipelineError::Manifest { path: path.clone(), source })?;
        pipelines.extend(objects.into_iter().filter(|object| object["kind"] == "WorkflowTemplate").map(pipeline));
    }
    Ok(pipelines)
}

fn pipeline(template: Value) -> Pipeline {
    let parameters = template["spec"]["arguments"]["parameters"].as_array().into_iter().flatten();
    let parameters = parameters.filter_map(|parameter| Some(parameter["name"].as_str()?.to_owned())).collect();
    Pipeline { name: template["metadata"]["name"].as_str().unwrap_or_default().to_owned(), parameters, template }
}

/// Returns the Workflow that runs a pipeline.
pub fn submission(pipeline: &Pipeline, namespace: &str, parameters: &[(String, String)]) -> Value {
    let parameters: Vec<Value> = parameters.iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
    json!({
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": {
            "generateName": format!("{}-", pipeline.name),
            "namespace": namespace,
            "labels": {TEMPLATE_LABEL: pipeline.name, "app.kubernetes.io/part-of": "mlops"},
        },
        "spec": {"workflowTemplateRef": {"name": pipeline.name}, "arguments": {"parameters": parameters}},
    })
}

impl Run {
    /// Reads a Workflow; `None` where it has no name. `now` is the end of what still runs.
    pub fn of(object: &Value, now: Timestamp) -> Option<Self> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (metadata, status) = (&object["metadata"], &object["status"]);
        let pipeline = [&object["spec"]["workflowTemplateRef"]["name"], &metadata["labels"][TEMPLATE_LABEL]];
        let outputs = status["outputs"]["parameters"].as_array().into_iter().flatten();
        Some(Self {
            name: metadata["name"].as_str()?.to_owned(),
            pipeline: pipeline.into_iter().find_map(Value::as_str).unwrap_or_default().to_owned(),
            phase: text(&status["phase"]),
            message: text(&status["message"]),
            progress: status["progress"].as_str().unwrap_or("-").to_owned(),
            created: text(&metadata["creationTimestamp"]),
            seconds: seconds(&status["startedAt"], &status["finishedAt"], now),
            outputs: outputs.map(|it| (text(&it["name"]), text(&it["value"]))).collect(),
            steps: steps(&status["nodes"]),
        })
    }

    /// Says whether nothing will change any more.
    pub fn is_finished(&self) -> bool {
        matches!(self.phase.as_str(), "Succeeded" | "Failed" | "Error")
    }
}

/// Returns the nodes that stand for steps: pods, and those that were left out.
fn steps(nodes: &Value) -> Vec<Step> {
    let mut steps: Vec<Step> = nodes
        .as_object()
        .into_iter()
        .flat_map(|nodes| nodes.values())
        .filter(|node| matches!(node["type"].as_str(), Some("Pod" | "Skipped")))
        .filter_map(|node| {
            Some(Step {
                name: node["displayName"].as_str()?.to_owned(),
                phase: node["phase"].as_str().unwrap_or("Pending").to_owned(),
                message: node["message"].as_str().unwrap_or_default().to_owned(),
                started: node["startedAt"].as_str().unwrap_or_default().to_owned(),
            })
        })
        .collect();
    steps.sort_by(|a, b| a.started.cmp(&b.started).then_with(|| a.name.cmp(&b.name)));
    steps
}

fn seconds(started: &Value, finished: &Value, now: Timestamp) -> Option<i64> {
    let started: Timestamp = started.as_str()?.parse().ok()?;
    let finished = finished.as_str().and_then(|text| text.parse().ok()).unwrap_or(now);
    Some(finished.duration_since(started).as_secs())
}
