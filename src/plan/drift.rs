//! Where a live object is not what helm made of it.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// Where the content of a Secret would stand.
const HIDDEN: &str = "(hidden)";
/// What the API server itself writes into every object.
const SERVER_FIELDS: &[&str] =
    &["managedFields", "resourceVersion", "generation", "creationTimestamp", "uid", "selfLink"];

/// A field that is not what helm made of it: another hand changed it since.
#[derive(Debug, Clone, PartialEq)]
pub struct Drift {
    /// The field, as `spec.template.spec.containers[name=mlflow].image`.
    pub path: String,
    /// Its value in the cluster; null where it is gone.
    pub live: Value,
    /// What it is to be; null where it is to go.
    pub wanted: Value,
    /// The field manager that set it, where the cluster knows.
    pub manager: Option<String>,
}

/// A step from a value into one of its parts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Segment {
    /// Of a mapping.
    Key(String),
    /// Of a list whose items have names.
    Named(String),
    /// Of any other list.
    Index(usize),
}

/// Fields by their path, with what they are on one side and on the other; null where they are missing.
type Changes = BTreeMap<Vec<Segment>, (Value, Value)>;

/// Returns the fields of a live object that applying `wanted` would change, without those that the manifest changes on purpose.
///
/// `result` is what the API server would make of `wanted`, with all defaults, so that `1000m` and `1` are the same. `old` is the
/// object in the last manifest; none where it is not in there.
pub fn drift(live: &Value, result: &Value, old: Option<&Value>, wanted: &Value) -> Vec<Drift> {
    let intended = old.map_or_else(Changes::new, |old| changes(old, wanted));
    let is_intended =
        |path: &[Segment]| intended.keys().any(|known| path.starts_with(known) || known.starts_with(path));
    let content = |path: &[Segment]| {
        let part = |name: &str| path.first() == Some(&Segment::Key(name.into()));
        live["kind"] == "Secret" && (part("data") || part("stringData"))
    };
    let shown = |path: &[Segment], value: Value| {
        if content(path) && !value.is_null() { Value::String(HIDDEN.into()) } else { value }
    };
    changes(&settled(live), &settled(result))
        .into_iter()
        .filter(|(path, _)| !is_intended(path))
        .map(|(path, (now, wanted))| Drift {
            path: text_of(&path),
            live: shown(&path, now),
            wanted: shown(&path, wanted),
            manager: manager_of(live, &path),
        })
        .collect()
}

/// Says whether all that an object sets is in the live one already. Where both write the same in other words, such as `1000m`
/// and `1`, it says no.
pub fn is_within(object: &Value, live: &Value) -> bool {
    let is_empty = |value: &Value| match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    };
    match (object, live) {
        (Value::Object(fields), Value::Object(live)) => {
            fields.iter().all(|(key, value)| live.get(key).map_or(is_empty(value), |live| is_within(value, live)))
        }
        (Value::Array(items), Value::Array(live)) => {
            items.len() == live.len() && items.iter().zip(live).all(|(item, live)| is_within(item, live))
        }
        (object, live) => object == live || is_empty(object) && is_empty(live),
    }
}

/// Returns an object without what the API server and its controllers write.
fn settled(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(fields) = object.as_object_mut() {
        fields.remove("status");
    }
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.retain(|key, _| !SERVER_FIELDS.contains(&key.as_str()));
    }
    object
}

fn changes(old: &Value, new: &Value) -> Changes {
    let mut found = Changes::new();
    compare(old, new, &mut Vec::new(), &mut found);
    found
}

fn compare(old: &Value, new: &Value, path: &mut Vec<Segment>, found: &mut Changes) {
    if old == new {
        return;
    }
    let null = &Value::Null;
    let mut pairs: Vec<(Segment, &Value, &Value)> = Vec::new();
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            let keys = old.keys().chain(new.keys().filter(|key| !old.contains_key(*key)));
            pairs.extend(
                keys.map(|key| (Segment::Key(key.clone()), old.get(key).unwrap_or(null), new.get(key).unwrap_or(null))),
            );
        }
        (Value::Array(old), Value::Array(new)) => match (by_name(old), by_name(new)) {
            (Some(old), Some(new)) => {
                let names = old.keys().chain(new.keys().filter(|name| !old.contains_key(*name)));
                pairs.extend(names.map(|name| {
                    let (old, new) = (old.get(name).unwrap_or(&null), new.get(name).unwrap_or(&null));
                    (Segment::Named((*name).to_owned()), *old, *new)
                }));
            }
            _ if old.len() == new.len() => {
                pairs.extend(
                    old.iter().zip(new).enumerate().map(|(index, (old, new))| (Segment::Index(index), old, new)),
                );
            }
            _ => {}
        },
        _ => {}
    }
    if pairs.is_empty() {
        found.insert(path.clone(), (old.clone(), new.clone()));
        return;
    }
    for (segment, old, new) in pairs {
        path.push(segment);
        compare(old, new, path, found);
        path.pop();
    }
}

/// Returns the items of a list by their names, if all have one that is theirs alone.
fn by_name(items: &[Value]) -> Option<BTreeMap<&str, &Value>> {
    let named: BTreeMap<&str, &Value> =
        items.iter().map(|item| Some((item["name"].as_str()?, item))).collect::<Option<_>>()?;
    (named.len() == items.len()).then_some(named)
}

fn text_of(path: &[Segment]) -> String {
    let part = |(place, segment): (usize, &Segment)| match segment {
        Segment::Key(key) if key.contains(['.', '/']) => format!("[{key}]"),
        Segment::Key(key) if place == 0 => key.clone(),
        Segment::Key(key) => format!(".{key}"),
        Segment::Named(name) => format!("[name={name}]"),
        Segment::Index(index) => format!("[{index}]"),
    };
    path.iter().enumerate().map(part).collect()
}

/// Returns who set a field last, of all but helm.
///
/// `managedFields` writes fields as `f:NAME` and items of lists as `k:{…}`:
/// <https://kubernetes.io/docs/reference/using-api/server-side-apply/>.
fn manager_of(live: &Value, path: &[Segment]) -> Option<String> {
    let managers = live["metadata"]["managedFields"].as_array()?.iter();
    let others = managers.filter(|it| it["manager"] != "helm" && owns(&it["fieldsV1"], path));
    let last = others.max_by_key(|it| it["time"].as_str().unwrap_or_default())?;
    last["manager"].as_str().map(str::to_owned)
}

/// Says whether fields of a manager hold a path, or end above it: then all below is the manager's.
fn owns(fields: &Value, path: &[Segment]) -> bool {
    let Some((first, rest)) = path.split_first() else { return true };
    let Some(fields) = fields.as_object() else { return false };
    let inside = |fields: &Map<String, Value>| fields.keys().any(|key| key != ".");
    let found = match first {
        Segment::Key(key) => fields.get(&format!("f:{key}")),
        Segment::Named(name) => fields.iter().find(|(key, _)| names(key, name)).map(|(_, fields)| fields),
        Segment::Index(_) => None,
    };
    match found {
        Some(below) if below.as_object().is_some_and(inside) => owns(below, rest),
        Some(_) => true,
        None => false,
    }
}

/// Says whether a key such as `k:{"name":"mlflow"}` is that of an item of this name.
fn names(key: &str, name: &str) -> bool {
    let keys: Option<Value> = key.strip_prefix("k:").and_then(|text| serde_json::from_str(text).ok());
    keys.is_some_and(|keys| keys["name"] == name)
}
