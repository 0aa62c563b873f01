//! The stage of the CustomResourceDefinitions: before any release, so that none depends on another's order.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use semver::Version;
use serde_json::{Value, json};

use super::run::RunError;
use crate::chart::{ChartError, crds_of};
use crate::cluster::{CRD_DIGEST_LABEL, CRD_RELEASE_LABEL, CrdRecord, STACK_LABEL};
use crate::exec::{ExecError, Invocation, Runner, Tool};
use crate::plan::CrdPlan;
use crate::render::{ManifestError, documents};
use crate::{helm, kubectl};

/// Label of CRDs: the version of the chart that they came from, so that no older one replaces them.
const CHART_VERSION_LABEL: &str = "mlopsctl.dev/chart-version";
const ESTABLISH_LIMIT: Duration = Duration::from_secs(90);

/// Why the CRDs of a chart could not be applied.
#[derive(Debug, thiserror::Error)]
pub enum CrdError {
    /// The chart cannot be read.
    #[error(transparent)]
    Chart(#[from] ChartError),
    /// What the chart renders cannot be read.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// helm or kubectl failed.
    #[error(transparent)]
    Exec(#[from] ExecError),
    /// Objects are stored in a version that the new CRD does not have.
    #[error("CRD {name}: objects are stored as {}, which the chart's version of it does not have", versions.join(", "))]
    StoredVersion {
        /// The CRD.
        name: String,
        /// The versions that would go.
        versions: Vec<String>,
    },
}

/// What happens to one CRD.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CrdVerdict {
    /// It is applied.
    Apply,
    /// It is somebody else's, who is named.
    Foreign(String),
    /// The installed one is of a newer chart.
    Newer(String),
    /// These stored versions would go.
    DropsVersions(Vec<String>),
}

/// What became of the CRDs of one chart.
#[derive(Debug)]
pub(super) struct AppliedCrds {
    /// What to record.
    pub(super) record: CrdRecord,
    /// Names of those that were applied.
    pub(super) applied: Vec<String>,
    /// Sentences about those that were left alone.
    pub(super) notes: Vec<String>,
}

/// What the cluster has before the stage.
#[derive(Debug, Clone)]
pub struct Present {
    /// Names of all CRDs.
    pub crds: BTreeSet<String>,
    /// Namespace and name of all helm releases.
    pub releases: BTreeSet<(String, String)>,
}

/// Applies the CRDs of one chart.
pub(super) async fn apply(
    runner: &Runner,
    stack: &str,
    plan: &CrdPlan,
    present: &Present,
) -> Result<AppliedCrds, CrdError> {
    let wanted = wanted(runner, plan).await?;
    let name_of = |crd: &Value| crd["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    let names: Vec<String> = wanted.iter().map(name_of).collect();
    let known: Vec<String> = names.iter().filter(|name| present.crds.contains(*name)).cloned().collect();
    let installed: BTreeMap<String, Value> = if known.is_empty() {
        BTreeMap::new()
    } else {
        let call = kubectl::get(std::iter::once("customresourcedefinitions".to_owned()).chain(known), None);
        let found = kubectl::items(&runner.run(call).await?.stdout).into_iter();
        found.map(|crd| (name_of(&crd), without_dead_owner(crd, &present.releases))).collect()
    };
    let mut objects = Vec::new();
    let mut left: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for mut crd in wanted {
        let name = name_of(&crd);
        match judge(&crd, installed.get(&name), &plan.chart.version) {
            CrdVerdict::Apply => {
                label(&mut crd, stack, plan);
                objects.push(crd);
            }
            CrdVerdict::Foreign(owner) => left.entry(format!("belong to {owner}")).or_default().push(name),
            CrdVerdict::Newer(found) => {
                let reason = format!("are of chart version {found}, newer than {}", plan.chart.version);
                left.entry(reason).or_default().push(name);
            }
            CrdVerdict::DropsVersions(versions) => return Err(CrdError::StoredVersion { name, versions }),
        }
    }
    if !objects.is_empty() {
        // Another manager's fields are those of an earlier install of the same chart.
        runner.run(kubectl::apply(&objects, true).timeout(ESTABLISH_LIMIT)).await?;
    }
    let applied = objects.iter().map(name_of).collect();
    let note = |(reason, names): (String, Vec<String>)| format!("CRDs left alone, they {reason}: {}", names.join(", "));
    let notes = left.into_iter().map(note).collect();
    Ok(AppliedCrds { record: CrdRecord { digest: plan.digest.clone(), names }, applied, notes })
}

/// Waits until the API server serves CRDs. One read of all is faster than `kubectl wait`, which opens a watch for each.
pub(super) async fn wait_established(runner: &Runner, stack: &str, names: &[String]) -> Result<(), RunError> {
    // A new CRD has `conditions: null` for a moment, which a JSONPath filter takes for an error.
    const ESTABLISHED: &str = r#"go-template={{range .items}}{{.metadata.name}}{{with .status}}{{range .conditions}}{{if eq .type "Established"}} {{.status}}{{end}}{{end}}{{end}}{{"\n"}}{{end}}"#;
    let selector = format!("{STACK_LABEL}={stack}");
    let started = Instant::now();
    loop {
        let call = Invocation::new(
            Tool::Kubectl,
            ["get", "customresourcedefinitions", "--selector", &selector, "-o", ESTABLISHED],
        );
        let found = runner.run(call).await.map_err(RunError::Established)?.stdout;
        let served: BTreeSet<&str> = found.lines().filter_map(|line| line.strip_suffix(" True")).collect();
        match names.iter().find(|name| !served.contains(name.as_str())) {
            None => return Ok(()),
            Some(name) if started.elapsed() > ESTABLISH_LIMIT => {
                return Err(RunError::NotServed { name: name.clone() });
            }
            Some(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

/// Returns the CRDs of a chart: rendered where they stand in its templates, else from its `crds/` folders.
pub(crate) async fn wanted(runner: &Runner, plan: &CrdPlan) -> Result<Vec<Value>, CrdError> {
    let release = &plan.release;
    match release.crds.as_ref().and_then(|spec| spec.render.as_ref()) {
        None => Ok(crds_of(&plan.chart.path, &plan.chart.files)?),
        Some(render) => {
            let mut values = release.values.clone();
            crate::render::merge(&mut values, Value::Object(render.clone()));
            let call = helm::template(
                &release.name,
                &release.namespace,
                &plan.chart.path,
                &values,
                &release.api_versions,
                None,
            );
            let mut objects = documents(&runner.run(call).await?.stdout)?;
            objects.retain(|object| object["kind"] == "CustomResourceDefinition");
            Ok(objects)
        }
    }
}

/// Decides what happens to one CRD of a chart of `version`.
pub fn judge(wanted: &Value, installed: Option<&Value>, version: &str) -> CrdVerdict {
    let Some(installed) = installed else { return CrdVerdict::Apply };
    let labels = &installed["metadata"]["labels"];
    if labels[STACK_LABEL].is_null()
        && let Some(owner) = foreign_owner(installed)
    {
        return CrdVerdict::Foreign(owner);
    }
    let number = |text: &str| Version::parse(text.trim_start_matches('v')).ok();
    if let Some(found) = labels[CHART_VERSION_LABEL].as_str()
        && let (Some(known), Some(new)) = (number(found), number(version))
        && known > new
    {
        return CrdVerdict::Newer(found.to_owned());
    }
    let stored = installed["status"]["storedVersions"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let has =
        |version: &str| wanted["spec"]["versions"].as_array().into_iter().flatten().any(|it| it["name"] == version);
    let gone: Vec<String> = stored.filter(|version| !has(version)).map(str::to_owned).collect();
    if gone.is_empty() { CrdVerdict::Apply } else { CrdVerdict::DropsVersions(gone) }
}

/// Takes the mark of a helm release off a CRD that the release left behind when it was uninstalled.
fn without_dead_owner(mut crd: Value, releases: &BTreeSet<(String, String)>) -> Value {
    let annotation = |name: &str| crd["metadata"]["annotations"][name].as_str().unwrap_or_default().to_owned();
    let owner = (annotation("meta.helm.sh/release-namespace"), annotation("meta.helm.sh/release-name"));
    if !releases.contains(&owner)
        && let Some(annotations) = crd["metadata"].get_mut("annotations").and_then(Value::as_object_mut)
    {
        annotations.retain(|key, _| !key.starts_with("meta.helm.sh/"));
    }
    crd
}

/// Returns who owns a CRD that is not ours: a helm release, or K3s and Rancher by their own annotation.
fn foreign_owner(crd: &Value) -> Option<String> {
    let annotations = &crd["metadata"]["annotations"];
    if let Some(release) = annotations["meta.helm.sh/release-name"].as_str() {
        let namespace = annotations["meta.helm.sh/release-namespace"].as_str().unwrap_or("?");
        return Some(format!("helm release {release} in {namespace}"));
    }
    annotations["objectset.rio.cattle.io/owner-name"].as_str().map(|owner| format!("{owner} of K3s or Rancher"))
}

fn label(crd: &mut Value, stack: &str, plan: &CrdPlan) {
    let labels = &mut crd["metadata"]["labels"];
    if !labels.is_object() {
        *labels = json!({});
    }
    labels[STACK_LABEL] = json!(stack);
    labels[CRD_RELEASE_LABEL] = json!(plan.release.name);
    labels[CRD_DIGEST_LABEL] = json!(plan.digest);
    labels[CHART_VERSION_LABEL] = json!(plan.chart.version.replace('+', "_"));
    // helm would take these for its own.
    if let Some(annotations) = crd["metadata"].get_mut("annotations").and_then(Value::as_object_mut) {
        annotations.retain(|key, _| !key.starts_with("meta.helm.sh/"));
    }
}
