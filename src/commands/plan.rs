//! `plan`.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::prepare::Prepared;
use super::preview::{Preview, preview};
use crate::apply::Forecast;
use crate::cli::PlanArgs;
use crate::error::{CommandResult, ExitStatus};
use crate::plan::{Action, Change, Drift, ObjectDiff, Plan, Recovery, ReleasePlan};
use crate::printer::{OutputFormat, Printer, Tone, counted};
use crate::settings::Settings;

/// Previews by release.
type Previews = BTreeMap<String, Preview>;

/// Shows what `up` would do.
pub(super) async fn run(settings: &Settings, args: &PlanArgs) -> CommandResult {
    let prepared = Prepared::new(settings).await?;
    let plan = prepared.plan()?;
    let previews = if args.summary { Previews::new() } else { preview(&prepared, &plan).await? };
    let printer = settings.printer;
    if printer.format() == OutputFormat::Text {
        show_summary(printer, &plan);
        for (release, preview) in &previews {
            show_preview(printer, release, preview);
        }
    } else {
        printer.json(&to_json(&plan, &previews));
    }
    if previews.values().any(|preview| preview.forecast.denied) {
        printer
            .complain("warning: this user may not apply objects, so not all of the plan was tried on the API server");
    }
    let refused: usize = previews.values().map(|preview| preview.forecast.refusals.len()).sum();
    if refused > 0 {
        printer.complain(&format!("the API server would refuse {}, so `up` would fail", counted(refused, "object")));
        return Ok(ExitStatus::Preflight);
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

fn show_preview(printer: Printer, release: &str, preview: &Preview) {
    let Preview { objects, forecast } = preview;
    if objects.is_empty() && forecast.refusals.is_empty() && forecast.drift.is_empty() {
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
    show_forecast(printer, forecast);
}

/// Writes what the API server would refuse, and what drifted.
pub(super) fn show_forecast(printer: Printer, forecast: &Forecast) {
    let (bad, warn) = (printer.paint(Tone::Bad, "!"), printer.paint(Tone::Warn, "*"));
    for refusal in &forecast.refusals {
        let cause = &refusal.cause;
        printer.data(&format!("  {bad} {} would be refused: {} {}\n", refusal.object, cause.code, cause.title));
        let about = format!("{}: ", refusal.object);
        for line in cause.evidence.strip_prefix(&about).unwrap_or(&cause.evidence).lines() {
            printer.data(&format!("      {line}\n"));
        }
        printer.data(&format!("      fix: {}\n", cause.fix));
    }
    for (object, drift) in &forecast.drift {
        printer.data(&format!("  {warn} {object} drifted: {}\n", drift_text(drift)));
    }
}

fn drift_text(drift: &Drift) -> String {
    if drift.path.is_empty() {
        return "it is gone".to_owned();
    }
    let by = drift.manager.as_ref().map(|manager| format!(" (set by {manager})")).unwrap_or_default();
    let path = &drift.path;
    match (&drift.live, &drift.wanted) {
        (Value::Null, wanted) => format!("{path} is gone, not {wanted}"),
        (live, Value::Null) => format!("{path} is {live}, not in the manifest{by}"),
        (live, wanted) => format!("{path} is {live}, not {wanted}{by}"),
    }
}

fn object_json(diff: &ObjectDiff) -> Value {
    let change = match diff.change {
        Change::Create => "create",
        Change::Update => "update",
        Change::Delete => "delete",
    };
    json!({"object": diff.object, "change": change, "diff": diff.text})
}

fn forecast_json(forecast: &Forecast) -> (Vec<Value>, Vec<Value>) {
    let refusals = forecast.refusals.iter().map(|it| json!({"object": it.object, "cause": it.cause}));
    let drift = forecast.drift.iter().map(|(object, it)| {
        json!({"object": object, "path": it.path, "live": it.live, "wanted": it.wanted, "manager": it.manager})
    });
    (refusals.collect(), drift.collect())
}

fn to_json(plan: &Plan, previews: &Previews) -> Value {
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
            let preview = previews.get(&spec.name);
            let objects: Vec<Value> = preview.iter().flat_map(|it| &it.objects).map(object_json).collect();
            let (refusals, drift) = preview.map(|it| forecast_json(&it.forecast)).unwrap_or_default();
            json!({
                "release": spec.name, "namespace": spec.namespace, "chart": spec.chart.to_string(), "action": action,
                "reason": reason, "revision": release.revision, "digest": release.digest, "needs": needs, "objects": objects,
                "refusals": refusals, "drift": drift,
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
