//! What a plan means object by object, and what the API server would say to it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::prepare::Prepared;
use crate::apply::{Forecast, Trial, dry_run};
use crate::error::{CommandError, ExitStatus};
use crate::exec::{Invocation, Runner};
use crate::helm;
use crate::plan::{ObjectDiff, Plan, ReleasePlan, diff_objects, steadied};
use crate::render::documents;

/// What happens to the objects of a release.
#[derive(Debug, Default)]
pub(super) struct Preview {
    /// What the chart renders against the manifest that helm keeps.
    pub(super) objects: Vec<ObjectDiff>,
    /// What the chart renders against the live objects.
    pub(super) forecast: Forecast,
}

/// Returns the preview of every release. Nothing is changed.
pub(super) async fn preview(prepared: &Prepared, plan: &Plan) -> Result<BTreeMap<String, Preview>, CommandError> {
    let mut tasks = tokio::task::JoinSet::new();
    // A CRD is named `PLURAL.GROUP`.
    let groups: BTreeSet<String> =
        prepared.state.crds.keys().filter_map(|name| Some(name.split_once('.')?.1.to_owned())).collect();
    for release in &plan.releases {
        let (release, runner) = (release.clone(), prepared.runner.clone());
        let kube_version = prepared.state.server_version.clone();
        let (crds_first, groups) = (!plan.crds.is_empty(), groups.clone());
        // Where nothing exists yet there is nobody to ask.
        let try_it = prepared.state.namespaces.contains_key(&release.release.namespace);
        let force = release.release.force_conflicts || !prepared.tools.is_helm4() || release.action.is_unchanged();
        tasks.spawn(async move {
            let (old, new) = manifests(&runner, &release, &kube_version).await?;
            let (name, namespace) = (&release.release.name, &release.release.namespace);
            let mut preview = Preview { objects: diff_objects(&old, &new), ..Preview::default() };
            if try_it {
                let objects: Vec<Value> =
                    new.into_iter().filter(|object| !crds_first || is_served(object, &groups)).collect();
                let trial = Trial { release: name, namespace, objects: &objects, old: &old, force, crds_first };
                preview.forecast = dry_run(&runner, trial).await?;
            }
            Ok::<_, CommandError>((name.clone(), preview))
        });
    }
    let mut found = BTreeMap::new();
    while let Some(done) = tasks.join_next().await {
        let (name, preview) = done.map_err(|error| CommandError::new(ExitStatus::Bug, error))??;
        found.insert(name, preview);
    }
    Ok(found)
}

/// Says whether the cluster may know an object's kind. One whose CRD comes first cannot be tried.
fn is_served(object: &Value, groups: &BTreeSet<String>) -> bool {
    let group =
        object["apiVersion"].as_str().and_then(|version| version.split_once('/')).map_or("", |(group, _)| group);
    !group.contains('.') || group.ends_with(".k8s.io") || groups.contains(group)
}

/// Returns the objects of the manifest in force and those that are to be, without hooks, which helm keeps apart.
async fn manifests(
    runner: &Runner,
    plan: &ReleasePlan,
    kube_version: &str,
) -> Result<(Vec<Value>, Vec<Value>), CommandError> {
    let release = &plan.release;
    let stored = async {
        match plan.revision {
            // A release that was cut off may have no manifest to read; then all of it is new.
            Some(_) => read(runner, helm::manifest(&release.name, &release.namespace)).await.unwrap_or_default(),
            None => Vec::new(),
        }
    };
    if plan.action.is_unchanged() {
        let stored = stored.await;
        return Ok((stored.clone(), stored));
    }
    let template = helm::template(
        &release.name,
        &release.namespace,
        &plan.chart.path,
        &release.values,
        &release.api_versions,
        Some(kube_version),
    );
    let again = async {
        match plan.revision {
            Some(_) => read(runner, template.clone()).await.unwrap_or_default(),
            None => Vec::new(),
        }
    };
    let (old, new, again) = tokio::join!(stored, read(runner, template.clone()), again);
    let new = steadied(&old, &new?, &again);
    Ok((old, new))
}

async fn read(runner: &Runner, call: Invocation) -> Result<Vec<Value>, CommandError> {
    let text = runner.run(call).await?.stdout;
    let objects = documents(&text).map_err(|error| CommandError::new(ExitStatus::Failure, error))?;
    Ok(objects.into_iter().filter(|object| object["metadata"]["annotations"]["helm.sh/hook"].is_null()).collect())
}
