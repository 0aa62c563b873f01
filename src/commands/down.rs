//! `down`.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::prepare::{catalog, config, holder, runner, scope, stack};
use super::up::{confirm, watch_signals};
use crate::apply::remove;
use crate::cli::DownArgs;
use crate::cluster::{CREATED_LABEL, ClusterState, Lease, RECORD_NAME, STACK_LABEL, observe};
use crate::error::{CommandError, CommandResult, ExitStatus};
use crate::exec::{ExecError, Invocation, Runner, Tool};
use crate::kubectl;
use crate::plan::{PlanError, Removal};
use crate::printer::{OutputFormat, Printer};
use crate::report::{Events, Kept, RunReport, StepAction, StepReport, show_events, table};
use crate::settings::Settings;
use crate::stack::Stack;

/// How long pods may take to end before a namespace counts as in use.
const DRAIN_LIMIT: Duration = Duration::from_secs(90);

/// What is there to be taken away.
#[derive(Debug, Default)]
struct Inventory {
    /// Releases in the order of removal.
    removals: Vec<Removal>,
    /// Volume claims of our releases.
    claims: Vec<Claim>,
    /// Secrets that we made: namespace and name.
    secrets: Vec<(String, String)>,
    /// CRDs that we applied.
    crds: Vec<String>,
}

/// A volume claim.
#[derive(Debug, Clone)]
struct Claim {
    namespace: String,
    name: String,
    size: String,
    /// helm deletes it with its release: it stands in the manifest without `helm.sh/resource-policy: keep`.
    goes_with_release: bool,
}

/// Takes the stack away.
pub(super) async fn run(settings: &Settings, args: &DownArgs) -> CommandResult {
    let started = Instant::now();
    let catalog = catalog(settings)?;
    let loaded = config(settings, &catalog)?;
    let stack = stack(settings, &loaded, &catalog, &BTreeMap::new())?;
    let runner = runner(settings, loaded.config.cluster.context.as_deref())?;
    let scope = scope(&stack);
    let state = observe(&runner, &scope).await?;
    check_owner(&stack, &state)?;
    let inventory = take_inventory(&runner, &stack, &state).await?;
    show_inventory(settings.printer, &runner, &inventory, args.purge).await;
    ask(args, &stack, &inventory)?;

    let system = &scope.system;
    let mut steps = Vec::new();
    let mut kept = Vec::new();
    if state.namespaces.contains_key(system) {
        let lease = Lease::acquire(&runner, system, &stack.id, holder(), |note| settings.printer.say(&note)).await;
        let lease = lease.map_err(|error| CommandError::from(crate::apply::RunError::from(error)))?;
        let watcher = tokio::spawn(watch_signals(runner.clone(), settings.printer));
        let result = take_away(settings, &runner, &stack, &inventory, args.purge, &mut steps, &mut kept).await;
        lease.release().await;
        watcher.abort();
        result?;
    }
    let complete = steps.iter().all(|step| step.action == StepAction::Removed) && !runner.is_interrupted();
    if complete {
        kept.extend(delete_namespaces(&runner, &state).await?);
    }
    let report = RunReport { command: "down", ok: complete, seconds: started.elapsed().as_secs_f64(), steps, kept };
    if settings.printer.format() == OutputFormat::Text {
        settings.printer.complain(&format!("{} removed in {:.1}s", report.steps.len(), report.seconds));
        show_kept(settings.printer, &report.kept);
    } else {
        settings.printer.json(&report);
    }
    if runner.is_interrupted() {
        return Err(CommandError::new(ExitStatus::Interrupted, anyhow::anyhow!("interrupted"))
            .hint("`mlopsctl down` goes on from here"));
    }
    Ok(if report.ok { ExitStatus::Success } else { ExitStatus::Failure })
}

fn check_owner(stack: &Stack, state: &ClusterState) -> Result<(), CommandError> {
    let mut problems = Vec::new();
    for (namespace, found) in &state.namespaces {
        if let Some(id) = found.labels.get(STACK_LABEL).filter(|id| **id != stack.id) {
            problems.push(PlanError::OtherStack {
                namespace: namespace.clone(),
                found: id.clone(),
                wanted: stack.id.clone(),
            });
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(problems.into()) }
}

async fn take_inventory(runner: &Runner, stack: &Stack, state: &ClusterState) -> Result<Inventory, CommandError> {
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
        let output = runner.run(kubectl::get(["persistentvolumeclaims"], Some(namespace))).await?;
        for claim in kubectl::items(&output.stdout) {
            // Operators name the instance after the release and what they made of it.
            let instance = claim["metadata"]["labels"]["app.kubernetes.io/instance"].as_str().unwrap_or_default();
            if names.iter().any(|name| {
                instance == name || instance.strip_prefix(name.as_str()).is_some_and(|rest| rest.starts_with('-'))
            }) {
                let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
                let annotations = &claim["metadata"]["annotations"];
                inventory.claims.push(Claim {
                    namespace: namespace.clone(),
                    name: text(&claim["metadata"]["name"]),
                    size: text(&claim["status"]["capacity"]["storage"]),
                    goes_with_release: annotations["meta.helm.sh/release-name"].is_string()
                        && annotations["helm.sh/resource-policy"] != "keep",
                });
            }
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

async fn show_inventory(printer: Printer, runner: &Runner, inventory: &Inventory, purge: bool) {
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
            format!("volume {} ({})", claim.name, claim.size),
            claim.namespace.clone(),
        ]
    }));
    rows.extend(inventory.secrets.iter().map(|(namespace, name)| {
        vec![fate(purge || !keeps_secrets(inventory, namespace)), format!("Secret {name}"), namespace.clone()]
    }));
    if !inventory.crds.is_empty() {
        rows.push(vec![fate(purge), format!("{} CustomResourceDefinitions", inventory.crds.len()), "-".to_owned()]);
    }
    if rows.is_empty() {
        printer.say("nothing of this stack is installed");
    } else {
        printer.say(table(&["", "WHAT", "NAMESPACE"], &rows).trim_end());
    }
}

/// Secrets stay where a volume stays, whose data they open.
fn keeps_secrets(inventory: &Inventory, namespace: &str) -> bool {
    inventory.claims.iter().any(|claim| claim.namespace == namespace && !claim.goes_with_release)
}

fn ask(args: &DownArgs, stack: &Stack, inventory: &Inventory) -> Result<(), CommandError> {
    if args.purge && !inventory.claims.is_empty() {
        if let Some(given) = &args.confirm {
            return if *given == stack.id {
                Ok(())
            } else {
                Err(CommandError::usage(format!("--confirm {given} is not this stack's id"))
                    .hint(format!("--confirm {}", stack.id)))
            };
        }
        if args.yes || !std::io::IsTerminal::is_terminal(&std::io::stdin()) {
            return Err(CommandError::usage("--purge deletes data and must be confirmed by name")
                .hint(format!("--confirm {}", stack.id)));
        }
        let typed: String = dialoguer::Input::new()
            .with_prompt(format!("This deletes data. Type `{}` to go on", stack.id))
            .interact_text()
            .map_err(|error| CommandError::new(ExitStatus::Interrupted, error))?;
        return if typed == stack.id {
            Ok(())
        } else {
            Err(CommandError::new(ExitStatus::Interrupted, anyhow::anyhow!("not confirmed, nothing was done")))
        };
    }
    if inventory.removals.is_empty() { Ok(()) } else { confirm(args.yes, "Take these away?") }
}

async fn take_away(
    settings: &Settings,
    runner: &Runner,
    stack: &Stack,
    inventory: &Inventory,
    purge: bool,
    steps: &mut Vec<StepReport>,
    kept: &mut Vec<Kept>,
) -> Result<(), CommandError> {
    let (events, receiver) = Events::channel();
    let reporter = tokio::spawn(show_events(receiver, settings.printer));
    steps.extend(uninstall(runner, stack, &inventory.removals, &events).await);
    drop(events);
    let _ = reporter.await;
    if runner.is_interrupted() || steps.iter().any(|step| step.action != StepAction::Removed) {
        return Ok(());
    }
    // A Job of a superseded revision is no longer in the manifest that helm uninstalls.
    for removal in &inventory.removals {
        let selector = format!("app.kubernetes.io/instance={},app.kubernetes.io/managed-by=Helm", removal.name);
        runner.run(kubectl::delete(["jobs"], Some(&removal.namespace)).args(["--selector", &selector])).await?;
    }
    for claim in &inventory.claims {
        if purge {
            runner
                .run(kubectl::delete([format!("persistentvolumeclaim/{}", claim.name)], Some(&claim.namespace)))
                .await?;
        } else if !claim.goes_with_release {
            kept.push(kept_object("PersistentVolumeClaim", &claim.namespace, &claim.name, "data is kept"));
        }
    }
    for (namespace, name) in &inventory.secrets {
        if purge || !keeps_secrets(inventory, namespace) {
            runner.run(kubectl::delete([format!("secret/{name}")], Some(namespace))).await?;
        } else {
            kept.push(kept_object("Secret", namespace, name, "it opens a volume that is kept"));
        }
    }
    for name in &inventory.crds {
        if !purge {
            kept.push(kept_object(
                "CustomResourceDefinition",
                "",
                name,
                "deleting it would delete everybody's objects of its kind",
            ));
        } else if let Some(object) = first_instance(runner, name).await? {
            kept.push(kept_object("CustomResourceDefinition", "", name, &format!("{object} is of its kind")));
        } else {
            runner.run(kubectl::delete([format!("customresourcedefinition/{name}")], None)).await?;
        }
    }
    let system = stack.namespaces.first().map(|namespace| namespace.name.as_str());
    runner.run(kubectl::delete([format!("configmap/{RECORD_NAME}")], system)).await?;
    Ok(())
}

/// Uninstalls releases, each as soon as nothing that needs it is left.
async fn uninstall(runner: &Runner, stack: &Stack, removals: &[Removal], events: &Events) -> Vec<StepReport> {
    let needed_by = |name: &str, open: &[Removal]| {
        stack.releases.iter().any(|release| {
            release.needs.iter().any(|need| need.release == name)
                && open.iter().any(|removal| removal.name == release.name)
        })
    };
    let mut open: Vec<Removal> = removals.to_vec();
    let mut waiting: Vec<Removal> = removals.to_vec();
    let mut tasks = tokio::task::JoinSet::new();
    let mut steps = Vec::new();
    loop {
        if !runner.is_interrupted() {
            let (ready, rest): (Vec<_>, Vec<_>) =
                waiting.into_iter().partition(|removal| !needed_by(&removal.name, &open));
            waiting = rest;
            for removal in ready {
                let (runner, events) = (runner.clone(), events.clone());
                tasks.spawn(async move { remove(&runner, &removal, &events).await });
            }
        }
        let Some(done) = tasks.join_next().await else { break };
        let Ok(step) = done else { continue };
        if step.action == StepAction::Removed {
            open.retain(|removal| removal.name != step.release);
        }
        steps.push(step);
    }
    steps
}

/// Returns an object of a CRD's kind, if there is one anywhere.
async fn first_instance(runner: &Runner, crd: &str) -> Result<Option<String>, ExecError> {
    let output = runner
        .run(Invocation::new(Tool::Kubectl, ["get", crd, "--all-namespaces", "--ignore-not-found", "-o", "name"]))
        .await?;
    Ok(output.stdout.lines().next().map(str::to_owned))
}

/// Deletes the namespaces that we created and that are empty. Returns a sentence for each that stays.
async fn delete_namespaces(runner: &Runner, state: &ClusterState) -> Result<Vec<Kept>, CommandError> {
    let mut kept: Vec<Kept> = Vec::new();
    if state.namespaces.is_empty() {
        return Ok(kept);
    }
    let listed = runner
        .run(Invocation::new(Tool::Kubectl, ["api-resources", "--namespaced", "--verbs=list,delete", "-o", "name"]))
        .await?;
    let kinds: Vec<&str> = listed.stdout.lines().filter(|kind| !kind.starts_with("events")).collect();
    for (name, namespace) in &state.namespaces {
        if !namespace.labels.contains_key(CREATED_LABEL) {
            kept.push(kept_object("Namespace", "", name, "it was there before"));
            continue;
        }
        let left = drain(runner, name, &kinds).await?;
        if let Some(object) = left.first() {
            let more = if left.len() > 1 { format!(" and {} more", left.len() - 1) } else { String::new() };
            kept.push(kept_object("Namespace", "", name, &format!("it holds {object}{more}")));
        } else {
            runner.run(kubectl::delete([format!("namespace/{name}")], None)).await?;
        }
    }
    for name in
        state.namespaces.keys().filter(|name| !kept.iter().any(|it| it.kind == "Namespace" && it.name == **name))
    {
        let wait =
            Invocation::new(Tool::Kubectl, ["wait", "--for=delete", "--timeout=60s"]).arg(format!("namespace/{name}"));
        // A namespace that takes longer is on its way; the next `up` says so if it still is.
        let _ = runner.run(wait.timeout(DRAIN_LIMIT)).await;
    }
    Ok(kept)
}

fn kept_object(kind: &'static str, namespace: &str, name: &str, reason: &str) -> Kept {
    Kept { kind, namespace: namespace.to_owned(), name: name.to_owned(), reason: reason.to_owned() }
}

/// Writes what stays; the CRDs, which are many, in one line.
fn show_kept(printer: Printer, kept: &[Kept]) {
    let is_crd = |it: &&Kept| it.kind == "CustomResourceDefinition";
    for it in kept.iter().filter(|it| !is_crd(it)) {
        let place = if it.namespace.is_empty() { String::new() } else { format!(" in {}", it.namespace) };
        printer.say(&format!("{:>12} {} {}{place}: {}", "kept", it.kind, it.name, it.reason));
    }
    let crds = kept.iter().filter(is_crd).count();
    if crds > 0 {
        printer.say(&format!(
            "{:>12} {crds} CustomResourceDefinitions, whose deletion would delete everybody's objects of their kinds",
            "kept"
        ));
    }
}

/// Waits for what is on its way out of a namespace and returns what stays.
async fn drain(runner: &Runner, namespace: &str, kinds: &[&str]) -> Result<Vec<String>, ExecError> {
    /// What every namespace has, and our own Lease.
    const USUAL: &[&str] =
        &["configmap/kube-root-ca.crt", "serviceaccount/default", "lease.coordination.k8s.io/mlopsctl"];
    let started = Instant::now();
    loop {
        let call = Invocation::new(
            Tool::Kubectl,
            ["get", &kinds.join(","), "--namespace", namespace, "--ignore-not-found", "-o", "name"],
        );
        let output = runner.run(call).await?;
        let left: Vec<String> = output.stdout.lines().filter(|line| !USUAL.contains(line)).map(str::to_owned).collect();
        // Pods and what follows an owner take a moment; claims and Secrets that are kept do not go.
        let leaving = left.iter().any(|line| {
            ["pod/", "replicaset", "endpoint", "controllerrevision", "job"].iter().any(|kind| line.starts_with(kind))
        });
        if left.is_empty() || !leaving || started.elapsed() > DRAIN_LIMIT {
            return Ok(left);
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}
