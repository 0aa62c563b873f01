//! Two manifests side by side, object by object.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::render::ObjectRef;

/// What happens to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It is new.
    Create,
    /// It differs.
    Update,
    /// It goes.
    Delete,
}

/// One object that changes.
#[derive(Debug, Clone)]
pub struct ObjectDiff {
    /// The object.
    pub object: ObjectRef,
    /// What happens to it.
    pub change: Change,
    /// A unified diff of both YAML texts; secrets masked.
    pub text: String,
}

/// Returns `new` without chance: places that differ between `new` and `again`, two renderings of the same input, are random by
/// the chart's own doing and are taken from `old`.
pub fn steadied(old: &[Value], new: &[Value], again: &[Value]) -> Vec<Value> {
    let (old, again) = (index(old), index(again));
    let one = |object: &Value| {
        let mut object = object.clone();
        if let Some(reference) = ObjectRef::of(&object)
            && let (Some(second), Some(found)) = (again.get(&reference), old.get(&reference))
        {
            steady(&mut object, second, found);
        }
        object
    };
    new.iter().map(one).collect()
}

/// Compares two sets of objects.
pub fn diff_objects(old: &[Value], new: &[Value]) -> Vec<ObjectDiff> {
    let (old, new) = (index(old), index(new));
    let mut diffs = Vec::new();
    for (object, wanted) in &new {
        let (change, text) = match old.get(object) {
            None => (Change::Create, unified("", &yaml(wanted))),
            Some(found) if found == wanted => continue,
            Some(found) => (Change::Update, unified(&yaml(found), &yaml(wanted))),
        };
        diffs.push(ObjectDiff { object: object.clone(), change, text });
    }
    for (object, found) in old.iter().filter(|(object, _)| !new.contains_key(object)) {
        diffs.push(ObjectDiff { object: object.clone(), change: Change::Delete, text: unified(&yaml(found), "") });
    }
    diffs
}

fn index(objects: &[Value]) -> BTreeMap<ObjectRef, &Value> {
    objects.iter().filter_map(|object| Some((ObjectRef::of(object)?, object))).collect()
}

/// Replaces the parts of `new` that differ in `again` by those of `old`.
fn steady(new: &mut Value, again: &Value, old: &Value) {
    if new == again {
        return;
    }
    match (&mut *new, again, old) {
        (Value::Object(new), Value::Object(again), Value::Object(old)) => {
            for (key, value) in new.iter_mut() {
                if let (Some(again), Some(old)) = (again.get(key), old.get(key)) {
                    steady(value, again, old);
                }
            }
        }
        (Value::Array(new), Value::Array(again), Value::Array(old))
            if new.len() == again.len() && new.len() == old.len() =>
        {
            for ((value, again), old) in new.iter_mut().zip(again).zip(old) {
                steady(value, again, old);
            }
        }
        (new, _, old) => *new = old.clone(),
    }
}

/// Returns an object without the content of a Secret.
pub fn mask(object: &Value) -> Value {
    let mut object = object.clone();
    if object["kind"] == "Secret" {
        for part in ["data", "stringData"] {
            for (_, value) in object.get_mut(part).and_then(Value::as_object_mut).into_iter().flatten() {
                *value = Value::String("(hidden)".into());
            }
        }
    }
    object
}

fn yaml(object: &Value) -> String {
    serde_saphyr::to_string(&mask(object)).unwrap_or_default()
}

fn unified(old: &str, new: &str) -> String {
    similar::TextDiff::from_lines(old, new).unified_diff().context_radius(2).to_string()
}
