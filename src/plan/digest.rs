//! Digests that tell whether anything changed.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::build::Plan;
use super::rollback::RollbackPlan;
use crate::chart::hex;
use crate::config::Config;
use crate::stack::{CrdSpec, Release};

/// Hex digits that fit a label, with room to spare below its 63 bytes.
const LENGTH: usize = 40;

/// Returns the digest of all that goes into a release: chart content, values, namespace and the generations of its
/// Secrets; never a Secret's content.
pub fn release_digest(release: &Release, chart_digest: &str, generations: &[&str]) -> String {
    short(&json!({
        "chart": chart_digest,
        "values": sorted(&release.values),
        "namespace": release.namespace,
        "generations": generations,
    }))
}

/// Returns the digest of the CRDs of a chart.
pub fn crd_digest(spec: &CrdSpec, chart_digest: &str) -> String {
    short(&json!({"chart": chart_digest, "render": spec.render.clone().map(Value::Object).map(|value| sorted(&value))}))
}

/// Returns the digest of a config with profile and defaults filled in. Secrets never stand in it.
pub fn config_digest(config: &Config) -> String {
    short(&sorted(&serde_json::to_value(config).unwrap_or_default()))
}

/// Returns the digest of what a plan does: two runs with the same one mean to do the same.
pub fn plan_digest(plan: &Plan) -> String {
    let releases = plan.releases.iter().filter(|release| !release.action.is_unchanged());
    short(&json!({
        "namespaces": plan.namespaces.iter().map(|it| &it.name).collect::<Vec<_>>(),
        "secrets": plan.secrets.iter().map(|it| (&it.secret.name, it.create, &it.copies)).collect::<Vec<_>>(),
        "crds": plan.crds.iter().map(|it| (&it.release.name, &it.digest)).collect::<Vec<_>>(),
        "releases": releases.map(|it| (&it.release.name, &it.digest, it.revision)).collect::<Vec<_>>(),
        "removals": plan.removals.iter().map(|it| (&it.name, &it.namespace)).collect::<Vec<_>>(),
    }))
}

/// Returns the digest of what a way back does.
pub fn rollback_digest(plan: &RollbackPlan) -> String {
    let steps = plan.steps.iter().filter_map(|step| Some((&step.release.name, step.back.as_ref()?)));
    short(&json!({
        "steps": steps.map(|(name, back)| (name, back.from, back.to)).collect::<Vec<_>>(),
        "removals": plan.removals.iter().map(|it| (&it.name, &it.namespace)).collect::<Vec<_>>(),
    }))
}

fn short(value: &Value) -> String {
    let mut text = hex(&Sha256::digest(value.to_string().as_bytes()));
    text.truncate(LENGTH);
    text
}

/// Returns a value whose mappings are sorted, so that the order of a template's keys does not count.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by_key(|(key, _)| *key);
            Value::Object(entries.into_iter().map(|(key, value)| (key.clone(), sorted(value))).collect())
        }
        Value::Array(items) => items.iter().map(sorted).collect(),
        other => other.clone(),
    }
}
