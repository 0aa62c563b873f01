//! `plan`.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::prepare::Prepared;
use crate::cli::PlanArgs;
use crate::error::{CommandError, CommandResult, ExitStatus};
use crate::helm;
use crate::plan::{Action, Change, ObjectDiff, Plan, Recovery, ReleasePlan, diff_objects};
use crate::printer::{OutputFormat, Printer, Tone};
use crate::render::documents;
use crate::settings::Settings;

/// Shows what `up` would do.
pub(super) async fn run(settings: &Settings, args: &PlanArgs) -> CommandResult {
    let prepared = Prepared::new(settings).await?;
    let plan = prepared.plan()?;
    let diffs = if args.summary { BTreeMap::new() } else { diffs(&prepared, &plan).await? };
    if settings.printer.format() == OutputFormat::Text {
        show_summary(settings.printer, &plan);
        for (release, objects) in &diffs {
            show_objects(settings.printer, release, objects);
        }
    } else {
        settings.printer.json(&to_json(&plan, &diffs));
    }
    let changes = args.exit_code && !plan.is_empty();
    Ok(if changes { ExitStatus::Changes } else { ExitStatus::Success })
}

/// Writes one line for everything that is to be done.
pub(super) fn show_summary(printer: Printer, plan: &Plan) {
    let line = |tone: Tone, word: &str, text: &str| {
        let text = format!("{} {text}", printer.paint(tone, &format!("{word:>10}")));
        match printer.format() {
            OutputFormat::Text => printer.data(&format!("{text}\n")),
            // Of `upgrade`, whose standard output is for events and the report alone.
            OutputFormat::Json | OutputFormat::Ndjson => printer.say(&text),
        }
    };
    for namespace in &plan.namespaces {
        line(Tone::Good, if namespace.create { "create" } else { "label" }, &format!("namespace {}", namespace.name));
    }
    for secret in &plan.secrets {
        if secret.create {
            line(
                Tone::Good,
                "create",
                &format!("Secret {} in {} ({})", secret.secret.name, secret.secret.namespace, secret.secret.title),
            );
        }
        for namespace in &secret.copies {
            line(Tone::Good, "copy", &format!("Secret {} to {namespace}", secret.secret.name));
        }
    }
    for crds in &plan.crds {
        line(Tone::Good, "apply", &format!("CRDs of {} {}", crds.release.name, crds.chart.version));
    }
    for release in &plan.releases {
        let chart = &release.release.chart;
        let name = &release.release.name;
        match &release.action {
            Action::Install => line(
                Tone::Good,
                "install",
                &format!("{name} ({chart}) in {}{}", release.release.namespace, after(release)),
            ),
            Action::Upgrade { from } => {
                line(Tone::Warn, "upgrade", &format!("{name} ({chart}) from revision {from}{}", after(release)));
            }
            Action::Repair { reason, recovery } => {
                let first = match recovery {
                    Some(Recovery::RollBack { revision }) => format!(", back to revision {revision} first"),
                    Some(Recovery::Uninstall { keeps }) if keeps.is_empty() => ", uninstalled first".to_owned(),
                    Some(Recovery::Uninstall { keeps }) => {
                        format!(", uninstalled first, its volumes stay ({})", keeps.join(", "))
                    }
                    Some(Recovery::Forget { saves }) => {
                        format!(", installed over what is there to save its volumes ({})", saves.join(", "))
                    }
                    None => String::new(),
                };
                line(Tone::Warn, "repair", &format!("{name}: {reason}{first}"));
            }
            Action::Unchanged { revision } => line(Tone::Dim, "unchanged", &format!("{name} (revision {revision})")),
            Action::Foreign { revision } => line(Tone::Bad, "foreign", &format!("{name} (revision {revision})")),
        }
    }
    for removal in &plan.removals {
        line(Tone::Bad, "remove", &format!("{} in {}", removal.name, removal.namespace));
    }
}

fn after(release: &ReleasePlan) -> String {
    let needs: Vec<&str> = release.release.needs.iter().map(|need| need.release.as_str()).collect();
    if needs.is_empty() { String::new() } else { format!(", after {}", needs.join(" and ")) }
}

/// Compares what the charts render with what helm keeps, for every release that changes.
async fn diffs(prepared: &Prepared, plan: &Plan) -> Result<BTreeMap<String, Vec<ObjectDiff>>, CommandError> {
    let mut tasks = tokio::task::JoinSet::new();
    for release in plan.releases.iter().filter(|release| !matches!(release.action, Action::Unchanged { .. })) {
        let (release, runner) = (release.clone(), prepared.runner.clone());
        // The CRD stage comes first, so what it brings counts as present.
        let kube_version = prepared.state.server_version.clone();
        tasks.spawn(async move {
            let spec = &release.release;
            let template = helm::template(
                &spec.name,
                &spec.namespace,
                &release.chart.path,
                &spec.values,
                &spec.api_versions,
                Some(&kube_version),
            );
            let old = async {
                match release.revision {
                    Some(_) => {
                        runner.run(helm::manifest(&spec.name, &spec.namespace)).await.map(|output| output.stdout)
                    }
                    None => Ok(String::new()),
                }
            };
            let again = async {
                match release.revision {
                    Some(_) => runner.run(template.clone()).await.map(|output| output.stdout),
                    None => Ok(String::new()),
                }
            };
            let (old, new, again) = tokio::join!(old, runner.run(template.clone()), again);
            // A release that was cut off may have no manifest to read; then all of it is new.
            let old = old.unwrap_or_default();
            let new = new.map_err(CommandError::from)?.stdout;
            let again = again.unwrap_or_default();
            let parse = |text: &str| {
                documents(text).map(without_hooks).map_err(|error| CommandError::new(ExitStatus::Failure, error))
            };
            Ok::<_, CommandError>((spec.name.clone(), diff_objects(&parse(&old)?, &parse(&new)?, &parse(&again)?)))
        });
    }
    let mut found = BTreeMap::new();
    while let Some(done) = tasks.join_next().await {
        let (name, diff) = done.map_err(|error| CommandError::new(ExitStatus::Bug, error))??;
        found.insert(name, diff);
    }
    Ok(found)
}

/// helm keeps hooks apart from the manifest.
fn without_hooks(objects: Vec<Value>) -> Vec<Value> {
    objects.into_iter().filter(|object| object["metadata"]["annotations"]["helm.sh/hook"].is_null()).collect()
}

fn show_objects(printer: Printer, release: &str, objects: &[ObjectDiff]) {
    if objects.is_empty() {
        return;
    }
    printer.data(&format!("\n{release}:\n"));
    for diff in objects {
        let (tone, sign) = match diff.change {
            Change::Create => (Tone::Good, "+"),
            Change::Update => (Tone::Warn, "~"),
            Change::Delete => (Tone::Bad, "-"),
        };
        printer.data(&format!("  {} {}\n", printer.paint(tone, sign), diff.object));
        if diff.change == Change::Update {
            for line in diff.text.lines() {
                printer.data(&format!("      {line}\n"));
            }
        }
    }
}

fn to_json(plan: &Plan, diffs: &BTreeMap<String, Vec<ObjectDiff>>) -> Value {
    let releases: Vec<Value> = plan
        .releases
        .iter()
        .map(|release| {
            let spec = &release.release;
            let (action, reason) = match &release.action {
                Action::Install => ("install", None),
                Action::Upgrade { .. } => ("upgrade", None),
                Action::Repair { reason, .. } => ("repair", Some(reason)),
                Action::Unchanged { .. } => ("unchanged", None),
                Action::Foreign { .. } => ("foreign", None),
            };
            let needs: Vec<Value> = spec.needs.iter().map(|need| json!({"release": need.release, "until": need.until, "because": need.because})).collect();
            let objects: Vec<Value> = diffs
                .get(&spec.name)
                .into_iter()
                .flatten()
                .map(|diff| {
                    let change = match diff.change {
                        Change::Create => "create",
                        Change::Update => "update",
                        Change::Delete => "delete",
                    };
                    json!({"object": diff.object, "change": change, "diff": diff.text})
                })
                .collect();
            json!({
                "release": spec.name, "namespace": spec.namespace, "chart": spec.chart.to_string(), "action": action,
                "reason": reason, "revision": release.revision, "digest": release.digest, "needs": needs, "objects": objects,
            })
        })
        .collect();
    json!({
        "changes": !plan.is_empty(),
        "namespaces": plan.namespaces.iter().map(|it| json!({"name": it.name, "create": it.create})).collect::<Vec<_>>(),
        "secrets": plan.secrets.iter().map(|it| json!({"name": it.secret.name, "namespace": it.secret.namespace, "create": it.create, "copies": it.copies})).collect::<Vec<_>>(),
        "crds": plan.crds.iter().map(|it| json!({"release": it.release.name, "chartVersion": it.chart.version})).collect::<Vec<_>>(),
        "releases": releases,
        "removals": plan.removals.iter().map(|it| json!({"release": it.name, "namespace": it.namespace})).collect::<Vec<_>>(),
    })
}
