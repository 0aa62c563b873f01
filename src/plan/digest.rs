//! Digests that tell whether anything changed.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::chart::hex;
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
