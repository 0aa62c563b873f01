//! The checks.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Check, Outcome};
use super::{fit, images, rendered};
use crate::chart::{Chart, Lock};
use crate::cluster::{CRD_RELEASE_LABEL, ClusterState, observe};
use crate::commands::prepare;
use crate::config::Config;
use crate::error::CommandError;
use crate::exec::{Invocation, Runner, Tool, Tools};
use crate::kubectl;
use crate::plan::{Inputs, PlanError, build};
use crate::printer::counted;
use crate::settings::Settings;
use crate::stack::{ChartRef, Stack};

/// The oldest Kubernetes that the charts are made for.
const MINIMUM_MINOR: u64 = 30;

/// Runs all checks. Each group needs the one before it; where a group fails, the rest cannot be looked at.
pub(crate) async fn run_checks(settings: &Settings) -> Vec<Check> {
    let mut checks = Vec::new();
    if let Err(error) = run_groups(settings, &mut checks).await {
        let hint = error.hints.join("; ");
        let cause = error.error.chain().map(ToString::to_string).collect::<Vec<_>>().join(": ");
        checks.push(Check::new("stack", "the checks can be made", Outcome::Failed, cause, &hint));
    }
    checks
}

async fn run_groups(settings: &Settings, checks: &mut Vec<Check>) -> Result<(), CommandError> {
    let catalog = prepare::catalog(settings)?;
    let loaded = prepare::config(settings, &catalog)?;
    let stack = prepare::stack(settings, &loaded, &catalog, &BTreeMap::new())?;
    checks.push(Check::new(
        "config",
        "the config file is valid",
        Outcome::Passed,
        settings.config.display().to_string(),
        "",
    ));
    let config = &loaded.config;

    let runner = prepare::runner(settings, config.cluster.context.as_deref())?;
    let tools = Tools::probe(&runner).await?;
    checks.push(Check::new("tools", "helm is new enough", Outcome::Passed, tools.helm.to_string(), ""));

    let state = observe(&runner, &prepare::scope(&stack)).await?;
    checks.push(Check::new("cluster", "the API server answers", Outcome::Passed, state.server_version.clone(), ""));
    checks.extend(versions(&state));
    checks.push(permissions(&runner).await);
    let objects = runner.run(kubectl::get(["nodes,storageclasses,ingressclasses"], None)).await?;
    let objects = kubectl::items(&objects.stdout);
    checks.push(nodes(&objects));
    checks.push(storage_class(&objects, config));
    checks.push(ingress_class(&objects, config));
    checks.push(dns(config).await);

    checks.push(crd_owners(&stack, &state));
    checks.push(leftovers(&stack, &state));
    let store = prepare::chart_store(settings);
    let charts = store.fetch(&runner, stack.releases.iter().map(|release| release.chart.clone())).await;
    let charts = match charts {
        Ok(charts) => charts,
        Err(error) => {
            let error = CommandError::from(error);
            let text = error.error.chain().map(ToString::to_string).collect::<Vec<_>>().join(": ");
            checks.push(Check::new("charts", "all charts can be had", Outcome::Failed, text, &error.hints.join("; ")));
            return Ok(());
        }
    };
    checks.push(locked(settings, &charts));
    checks.extend(conflicts(&stack, &charts, &state));
    checks.push(images::check(&stack, config, &objects));
    match rendered::render(&runner, &stack, &charts, &state).await {
        Ok(rendered) => {
            checks.push(rendered::classes(&rendered, &objects));
            checks.push(fit::check(&runner, &rendered, &objects).await);
        }
        Err(check) => checks.push(check),
    }
    Ok(())
}

fn versions(state: &ClusterState) -> Vec<Check> {
    let read = |text: &str| semver::Version::parse(text.trim_start_matches('v')).ok();
    let Some(server) = read(&state.server_version) else { return Vec::new() };
    let old = server.major == 1 && server.minor < MINIMUM_MINOR;
    let kubectl = read(&state.kubectl_version);
    let fits = kubectl.as_ref().is_some_and(|kubectl| server.minor.abs_diff(kubectl.minor) <= 1);
    let kubectl = kubectl.map_or_else(|| "a version that is not told".to_owned(), |kubectl| kubectl.to_string());
    vec![
        Check::new(
            "cluster",
            "Kubernetes is new enough",
            if old { Outcome::Failed } else { Outcome::Passed },
            format!("{server}, 1.{MINIMUM_MINOR} or newer is needed"),
            "upgrade the cluster",
        ),
        Check::new(
            "tools",
            "kubectl fits the API server",
            if fits { Outcome::Passed } else { Outcome::Warned },
            format!("{kubectl} with {server}"),
            "install a kubectl whose minor version differs by one at most (https://kubernetes.io/releases/version-skew-policy/)",
        ),
    ]
}

async fn permissions(runner: &Runner) -> Check {
    const TITLE: &str = "this user may do all that is needed";
    let ask = Invocation::new(Tool::Kubectl, ["auth", "can-i", "*", "*", "--all-namespaces"]);
    match runner.run(ask).await {
        Ok(_) => Check::new("cluster", TITLE, Outcome::Passed, "", ""),
        Err(error) if error.stderr().trim().is_empty() || error.stderr().contains("no") => {
            let hint = "charts create ClusterRoles and CRDs; `kubectl auth can-i --list` shows what is missing";
            Check::new("cluster", TITLE, Outcome::Warned, "not a cluster administrator", hint)
        }
        Err(error) => Check::new("cluster", TITLE, Outcome::Skipped, error.to_string(), ""),
    }
}

fn of_kind<'a>(objects: &'a [Value], kind: &str) -> Vec<&'a Value> {
    objects.iter().filter(|object| object["kind"] == kind).collect()
}

fn nodes(objects: &[Value]) -> Check {
    const TITLE: &str = "all nodes are ready";
    let nodes = of_kind(objects, "Node");
    let unready: Vec<&str> = nodes
        .iter()
        .filter(|node| !crate::cluster::is_true(node, "Ready") || node["spec"]["unschedulable"] == true)
        .filter_map(|node| node["metadata"]["name"].as_str())
        .collect();
    let outcome = match (nodes.len(), unready.len()) {
        (0, _) => Outcome::Failed,
        (all, down) if all == down => Outcome::Failed,
        (_, 0) => Outcome::Passed,
        _ => Outcome::Warned,
    };
    let detail =
        if unready.is_empty() { counted(nodes.len(), "node") } else { format!("not ready: {}", unready.join(", ")) };
    Check::new("cluster", TITLE, outcome, detail, "kubectl describe node")
}

fn storage_class(objects: &[Value], config: &Config) -> Check {
    const TITLE: &str = "there is a StorageClass for the volumes";
    let classes = of_kind(objects, "StorageClass");
    let name = |class: &Value| class["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    if let Some(wanted) = &config.cluster.storage_class {
        let there = classes.iter().any(|class| name(class) == *wanted);
        let outcome = if there { Outcome::Passed } else { Outcome::Failed };
        return Check::new(
            "cluster",
            TITLE,
            outcome,
            wanted.clone(),
            "`kubectl get storageclass` lists them; set `cluster.storageClass`",
        );
    }
    let default = classes
        .iter()
        .find(|class| class["metadata"]["annotations"]["storageclass.kubernetes.io/is-default-class"] == "true");
    match default {
        Some(class) => Check::new("cluster", TITLE, Outcome::Passed, format!("{} (default)", name(class)), ""),
        None => Check::new(
            "cluster",
            TITLE,
            Outcome::Failed,
            "none is the default",
            "set `cluster.storageClass` to one of `kubectl get storageclass`",
        ),
    }
}

fn ingress_class(objects: &[Value], config: &Config) -> Check {
    const TITLE: &str = "there is an IngressClass for the UIs";
    if config.domain.is_empty() {
        return Check::new("cluster", TITLE, Outcome::Skipped, "no domain, no ingress", "");
    }
    let classes = of_kind(objects, "IngressClass");
    let wanted = config.ingress.class_name.as_deref();
    let fits = |class: &&&Value| match wanted {
        Some(wanted) => class["metadata"]["name"] == wanted,
        None => class["metadata"]["annotations"]["ingressclass.kubernetes.io/is-default-class"] == "true",
    };
    let outcome = if classes.iter().any(|class| fits(&class)) { Outcome::Passed } else { Outcome::Failed };
    let detail = wanted.unwrap_or("the cluster's default");
    Check::new("cluster", TITLE, outcome, detail, "`kubectl get ingressclass` lists them; set `ingress.className`")
}

async fn dns(config: &Config) -> Check {
    const TITLE: &str = "the host names of the UIs resolve";
    if config.domain.is_empty() {
        return Check::new("cluster", TITLE, Outcome::Skipped, "no domain", "");
    }
    let host = format!("mlflow.{}", config.domain);
    let lookup = tokio::net::lookup_host((host.clone(), 443));
    let found = tokio::time::timeout(std::time::Duration::from_secs(3), lookup).await;
    let outcome = if matches!(found.map(|result| result.map(std::iter::Iterator::count)), Ok(Ok(1..))) {
        Outcome::Passed
    } else {
        Outcome::Warned
    };
    Check::new(
        "cluster",
        TITLE,
        outcome,
        host,
        "add a DNS record *.DOMAIN that points to the ingress, or lines in /etc/hosts",
    )
}

fn crd_owners(stack: &Stack, state: &ClusterState) -> Check {
    const TITLE: &str = "no foreign CRDs are in the way";
    let recorded = state.record.iter().flat_map(|record| &record.crds);
    let foreign: BTreeSet<&str> = recorded
        .filter(|(release, _)| stack.releases.iter().any(|it| it.name == **release))
        .flat_map(|(_, record)| &record.names)
        .filter(|name| state.crds.get(*name).is_some_and(|labels| !labels.contains_key(CRD_RELEASE_LABEL)))
        .map(String::as_str)
        .collect();
    if foreign.is_empty() {
        return Check::new("stack", TITLE, Outcome::Passed, "", "");
    }
    let detail = format!("left alone: {}", foreign.into_iter().collect::<Vec<_>>().join(", "));
    Check::new(
        "stack",
        TITLE,
        Outcome::Warned,
        detail,
        "their owner must keep them at a version that the charts work with",
    )
}

/// A volume whose password is gone cannot be opened again.
fn leftovers(stack: &Stack, state: &ClusterState) -> Check {
    const TITLE: &str = "volumes of an earlier stack have their Secrets";
    let mut lost = Vec::new();
    for release in &stack.releases {
        let volume = state.workloads.keys().find(|it| {
            it.kind == crate::render::WorkloadKind::PersistentVolumeClaim
                && it.namespace == release.namespace
                && it.name.contains(&format!("-{}-", release.name))
        });
        let missing = release
            .secrets
            .iter()
            .find(|name| !state.secrets.contains_key(&(release.namespace.clone(), (*name).clone())));
        if let (Some(volume), Some(secret)) = (volume, missing) {
            lost.push(format!("{} without Secret {secret}", volume.name));
        }
    }
    if lost.is_empty() {
        return Check::new("stack", TITLE, Outcome::Passed, "", "");
    }
    let hint = "put the Secret back, or delete the volume; a new password does not open old data";
    Check::new("stack", TITLE, Outcome::Failed, lost.join(", "), hint)
}

fn locked(settings: &Settings, charts: &BTreeMap<ChartRef, Chart>) -> Check {
    const TITLE: &str = "all charts can be had and are the locked ones";
    let path = prepare::lock_path(settings);
    let result = Lock::read(&path).and_then(|mut lock| {
        charts
            .values()
            .filter_map(|chart| chart.lock.clone())
            .try_for_each(|entry| lock.check(&path, entry).map(|_| ()))
    });
    match result {
        Ok(()) => Check::new("charts", TITLE, Outcome::Passed, counted(charts.len(), "chart"), ""),
        Err(error) => Check::new(
            "charts",
            TITLE,
            Outcome::Failed,
            error.to_string(),
            "if the new chart is wanted: mlopsctl lock --update",
        ),
    }
}

fn conflicts(stack: &Stack, charts: &BTreeMap<ChartRef, Chart>, state: &ClusterState) -> Vec<Check> {
    const TITLE: &str = "namespaces, releases and Secrets are ours or free";
    let generations = BTreeMap::new();
    match build(&Inputs { stack, charts, state, generations: &generations }) {
        Ok(_) => vec![Check::new("stack", TITLE, Outcome::Passed, "", "")],
        Err(problems) => problems
            .into_iter()
            .map(|problem: PlanError| {
                let text = problem.to_string();
                let error = CommandError::from(vec![problem]);
                Check::new("stack", TITLE, Outcome::Failed, text, &error.hints.join("; "))
            })
            .collect(),
    }
}
