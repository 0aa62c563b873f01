//! What of a stack is in the cluster.

use std::time::Duration;

use crate::cluster::{ClusterState, STACK_LABEL};
use crate::error::CommandError;
use crate::exec::{Invocation, Runner, Tool};
use crate::kubectl;
use crate::mlflow::Mlflow;
use crate::plan::Removal;
use crate::printer::{Printer, counted};
use crate::report::table;
use crate::service::{Service, ServiceError};
use crate::stack::Stack;

/// How long MLflow may take to say what it holds.
const MODELS_LIMIT: Duration = Duration::from_secs(5);

/// What is there to be taken away.
#[derive(Debug, Default)]
pub(super) struct Inventory {
    /// Releases in the order of removal.
    pub(super) removals: Vec<Removal>,
    /// Volume claims of our releases.
    pub(super) claims: Vec<Claim>,
    /// Secrets that we made: namespace and name.
    pub(super) secrets: Vec<(String, String)>,
    /// CRDs that we applied.
    pub(super) crds: Vec<String>,
    /// What MLflow says of its registry, or why it says nothing; none where nothing is at stake.
    pub(super) models: Option<String>,
}

/// A volume claim.
#[derive(Debug, Clone)]
pub(super) struct Claim {
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) size: String,
    /// What the release is whose data it holds.
    pub(super) title: String,
    /// helm deletes it with its release: it stands in the manifest without `helm.sh/resource-policy: keep`.
    pub(super) goes_with_release: bool,
}

/// Looks for everything of the stack.
pub(super) async fn take_inventory(
    runner: &Runner,
    stack: &Stack,
    state: &ClusterState,
) -> Result<Inventory, CommandError> {
    let mut inventory = Inventory { removals: removals(stack, state), ..Inventory::default() };
    for namespace in state.namespaces.keys() {
        let names = inventory
            .removals
            .iter()
            .filter(|removal| removal.namespace == *namespace)
            .map(|removal| removal.name.clone());
        let known = state
            .record
            .iter()
            .flat_map(|record| &record.releases)
            .filter(|(_, it)| it.namespace == *namespace)
            .map(|(name, _)| name.clone());
        let configured =
            stack.releases.iter().filter(|release| release.namespace == *namespace).map(|release| release.name.clone());
        let names: Vec<String> = names.chain(known).chain(configured).collect();
        for claim in state.claims.iter().filter(|claim| claim.namespace == *namespace) {
            let Some(release) = names.iter().find(|name| claim.is_of(namespace, name)) else { continue };
            let title = stack.releases.iter().find(|it| it.name == *release).map(|it| it.title.clone());
            inventory.claims.push(Claim {
                namespace: namespace.clone(),
                name: claim.name.clone(),
                size: claim.size.clone(),
                title: title.filter(|title| !title.is_empty()).unwrap_or_else(|| release.clone()),
                goes_with_release: claim.goes_with_release,
            });
        }
        let selector = format!("{STACK_LABEL}={}", stack.id);
        let call = kubectl::get(["secrets"], Some(namespace)).args(["--selector", &selector]);
        for secret in kubectl::items(&runner.run(call).await?.stdout) {
            inventory
                .secrets
                .push((namespace.clone(), secret["metadata"]["name"].as_str().unwrap_or_default().to_owned()));
        }
    }
    let ours = state.crds.iter().filter(|(_, labels)| labels.get(STACK_LABEL) == Some(&stack.id));
    inventory.crds = ours.map(|(name, _)| name.clone()).collect();
    Ok(inventory)
}

/// Returns our releases, each before those that it needs; such as are not in the file any more come first.
fn removals(stack: &Stack, state: &ClusterState) -> Vec<Removal> {
    let recorded =
        state.record.iter().flat_map(|record| &record.releases).map(|(name, it)| (name.clone(), it.namespace.clone()));
    let configured = stack.releases.iter().rev().map(|release| (release.name.clone(), release.namespace.clone()));
    let mut result: Vec<Removal> = Vec::new();
    let known: Vec<(String, String)> = configured.collect();
    for (name, namespace) in recorded.filter(|it| !known.contains(it)).chain(known.iter().cloned()) {
        let found = state.releases.get(&(namespace.clone(), name.clone()));
        if found.is_some_and(|found| found.digest.is_some()) {
            result.push(Removal { name, namespace });
        }
    }
    result
}

/// Shows what goes and what stays, and on which cluster.
pub(super) async fn show_inventory(printer: Printer, runner: &Runner, inventory: &Inventory, purge: bool) {
    let view = Invocation::new(
        Tool::Kubectl,
        ["config", "view", "--minify", "-o", "jsonpath={.current-context} {.clusters[0].cluster.server}"],
    );
    if let Ok(output) = runner.run(view).await {
        printer.say(&format!("cluster: {}", output.stdout.trim()));
    }
    let mut rows: Vec<Vec<String>> = Vec::new();
    let fate = |purged: bool| if purged { "delete".to_owned() } else { "keep".to_owned() };
    rows.extend(
        inventory
            .removals
            .iter()
            .map(|it| vec!["uninstall".to_owned(), format!("release {}", it.name), it.namespace.clone()]),
    );
    rows.extend(inventory.claims.iter().map(|claim| {
        vec![
            fate(purge || claim.goes_with_release),
            format!("volume {} ({}, {})", claim.name, claim.title, claim.size),
            claim.namespace.clone(),
        ]
    }));
    rows.extend(inventory.secrets.iter().map(|(namespace, name)| {
        vec![fate(purge || !keeps_secrets(inventory, namespace)), format!("Secret {name}"), namespace.clone()]
    }));
    if !inventory.crds.is_empty() {
        rows.push(vec![fate(purge), format!("{} CustomResourceDefinitions", inventory.crds.len()), "-".to_owned()]);
    }
    if let Some(models) = &inventory.models {
        rows.push(vec![fate(purge), models.clone(), "-".to_owned()]);
    }
    if rows.is_empty() {
        printer.say("nothing of this stack is installed");
    } else {
        printer.say(table(&["", "WHAT", "NAMESPACE"], &rows).trim_end());
    }
}

/// Secrets stay where a volume stays, whose data they open.
pub(super) fn keeps_secrets(inventory: &Inventory, namespace: &str) -> bool {
    inventory.claims.iter().any(|claim| claim.namespace == namespace && !claim.goes_with_release)
}

/// Counts what the registry holds, within a few seconds: whoever purges is to know what goes.
pub(super) async fn count_models(runner: &Runner, service: &Service) -> String {
    let ask = async {
        let models = Mlflow::connect(runner, service).await?.models().await?;
        let versions: usize = models.iter().map(|model| model.versions.len()).sum();
        Ok::<_, ServiceError>(format!(
            "{} with {} in MLflow's registry",
            counted(models.len(), "registered model"),
            counted(versions, "version")
        ))
    };
    match tokio::time::timeout(MODELS_LIMIT, ask).await {
        Ok(Ok(text)) => text,
        Ok(Err(_)) => "MLflow's registry, which could not be asked".to_owned(),
        Err(_) => format!("MLflow's registry, which did not answer within {}s", MODELS_LIMIT.as_secs()),
    }
}
