//! Whether values fit a chart's own `values.yaml`.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::config::suggestion;

/// A key that a chart does not know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownKey {
    /// Its path, with dots.
    pub path: String,
    /// Its path in parts, since a key may hold a dot itself.
    pub parts: Vec<String>,
    /// A key beside it that may have been meant.
    pub suggestion: Option<String>,
}

/// Returns the keys of `values` that the chart's defaults do not have. Below an empty mapping everything is allowed:
/// charts leave those open. A chart may read a key that it does not list, so this is advice, not an error.
pub fn unknown_keys(files: &BTreeMap<String, Vec<u8>>, values: &Value) -> Vec<UnknownKey> {
    let mut unknown = Vec::new();
    if let (Value::Object(defaults), Value::Object(values)) = (defaults(files, ""), values) {
        compare(&defaults, values, &mut Vec::new(), &mut unknown);
    }
    unknown
}

/// Returns the defaults of a chart, those of its sub-charts under their names.
fn defaults(files: &BTreeMap<String, Vec<u8>>, root: &str) -> Value {
    let text = files.get(&format!("{root}values.yaml"));
    let mut own: Value = text.and_then(|text| serde_saphyr::from_slice(text).ok()).unwrap_or_default();
    if !own.is_object() {
        own = Value::Object(Map::new());
    }
    let prefix = format!("{root}charts/");
    let mut names: Vec<&str> =
        files.keys().filter_map(|path| path.strip_prefix(&prefix)?.split_once('/')).map(|(name, _)| name).collect();
    names.dedup();
    for name in names {
        let mut below = defaults(files, &format!("{prefix}{name}/"));
        // What the parent sets for its sub-chart goes before the sub-chart's own.
        if let Some(set) = own.get_mut(name) {
            crate::render::merge(&mut below, set.take());
        }
        own[name] = below;
    }
    own
}

fn compare(
    defaults: &Map<String, Value>,
    values: &Map<String, Value>,
    path: &mut Vec<String>,
    unknown: &mut Vec<UnknownKey>,
) {
    for (key, value) in values {
        path.push(key.clone());
        match (defaults.get(key), value) {
            // helm hands `global` to every sub-chart, whoever lists it.
            _ if path[..] == ["global"] => {}
            (None, _) => {
                let suggestion = suggestion(key, defaults.keys().map(String::as_str)).map(str::to_owned);
                unknown.push(UnknownKey { path: path.join("."), parts: path.clone(), suggestion });
            }
            (Some(Value::Object(defaults)), Value::Object(values)) if !defaults.is_empty() => {
                compare(defaults, values, path, unknown);
            }
            (Some(_), _) => {}
        }
        path.pop();
    }
}
