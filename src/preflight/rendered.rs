//! What the charts of releases that are not installed render, and whether its names are free.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Check, Outcome};
use crate::chart::Chart;
use crate::cluster::ClusterState;
use crate::exec::Runner;
use crate::helm;
use crate::render::documents;
use crate::stack::{ChartRef, Release, Stack};

/// The objects of a release.
#[derive(Debug)]
pub(super) struct Rendered<'a> {
    pub(super) release: &'a Release,
    pub(super) objects: Vec<Value>,
}

/// Renders all releases that are not installed. A chart that does not render is a check that failed.
pub(super) async fn render<'a>(
    runner: &Runner,
    stack: &'a Stack,
    charts: &BTreeMap<ChartRef, Chart>,
    state: &ClusterState,
) -> Result<Vec<Rendered<'a>>, Check> {
    const TITLE: &str = "all charts render";
    let mut tasks = tokio::task::JoinSet::new();
    for (index, release) in stack.releases.iter().enumerate() {
        let installed = state.releases.contains_key(&(release.namespace.clone(), release.name.clone()));
        let Some(chart) = charts.get(&release.chart).filter(|_| !installed) else { continue };
        let call = helm::template(
            &release.name,
            &release.namespace,
            &chart.path,
            &release.values,
            &release.api_versions,
            Some(&state.server_version),
        );
        let runner = runner.clone();
        tasks.spawn(async move { (index, runner.run(call).await) });
    }
    let mut rendered = Vec::new();
    while let Some(done) = tasks.join_next().await {
        let Ok((index, output)) = done else { continue };
        let release = &stack.releases[index];
        match output.map(|output| documents(&output.stdout)) {
            Ok(Ok(objects)) => rendered.push(Rendered { release, objects }),
            Ok(Err(error)) => {
                return Err(Check::new("charts", TITLE, Outcome::Failed, format!("{}: {error}", release.name), ""));
            }
            Err(error) => {
                let hint = format!("look at values.{}: the chart does not render", release.name);
                return Err(Check::new("charts", TITLE, Outcome::Failed, error.to_string(), &hint));
            }
        }
    }
    Ok(rendered)
}

/// Looks for classes of the cluster that a chart brings and that are there already; helm would not take them over.
pub(super) fn classes(rendered: &[Rendered<'_>], live: &[Value]) -> Check {
    const TITLE: &str = "the classes that charts bring are free";
    let mut taken = Vec::new();
    for it in rendered {
        for object in it.objects.iter().filter(|object| is_class(object)) {
            let same = |live: &&Value| {
                live["kind"] == object["kind"] && live["metadata"]["name"] == object["metadata"]["name"]
            };
            let Some(live) = live.iter().find(same) else { continue };
            let annotation = |name: &str| live["metadata"]["annotations"][name].as_str();
            let owner = (annotation("meta.helm.sh/release-name"), annotation("meta.helm.sh/release-namespace"));
            let whose = match owner {
                (Some(name), Some(place)) if name == it.release.name && place == it.release.namespace => continue,
                (Some(name), Some(place)) => format!("release {name} in namespace {place}"),
                _ => "no helm release".to_owned(),
            };
            let class = format!("{} {}", text(&object["kind"]), text(&object["metadata"]["name"]));
            taken.push(format!("{class} of {} belongs to {whose}", it.release.name));
        }
    }
    if taken.is_empty() {
        return Check::new("stack", TITLE, Outcome::Passed, "", "");
    }
    let hint =
        "give it another name under `values`, or leave the release out; for those of K3s see docs/causes/MLC138.md";
    Check::new("stack", TITLE, Outcome::Failed, taken.join(", "), hint)
}

fn is_class(object: &Value) -> bool {
    matches!(object["kind"].as_str(), Some("IngressClass" | "StorageClass"))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
