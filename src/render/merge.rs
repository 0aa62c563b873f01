//! Merging values the way helm does.

use serde_json::Value;

/// Merges `over` into `base`: mappings key by key, everything else replaced. A null removes nothing here; helm reads it
/// as "without the chart's default".
pub fn merge(base: &mut Value, over: Value) {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) => {
            for (key, value) in over {
                match base.get_mut(&key) {
                    Some(known) => merge(known, value),
                    None => {
                        base.insert(key, value);
                    }
                }
            }
        }
        (base, over) => *base = over,
    }
}
