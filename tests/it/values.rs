//! What the templates in `helm-values/` render, held against what the charts know.

use std::collections::{BTreeMap, BTreeSet};

use mlopsctl::stack::{ChartRef, StackSource};
use serde_json::Value;

use crate::fixtures::{CONFIGS, stack, stacks};
use crate::harness::package;

/// Charts below whose key the values of a sub-chart stand, with the sub-chart's pinned list.
const SUB_CHARTS: &[(&str, &[(&str, &str)])] = &[(
    "kube-prometheus-stack",
    &[
        ("grafana", "grafana-12.11.1"),
        ("kube-state-metrics", "kube-state-metrics-8.4.0"),
        ("prometheus-node-exporter", "prometheus-node-exporter-4.56.1"),
    ],
)];

/// A path into values; its parts may have dots.
type KeyPath = Vec<String>;

fn parse_path(text: &str) -> KeyPath {
    let mut parts = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (part, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or_else(|| panic!("unclosed quote in {text}")),
            None => rest.split_at(rest.find('.').unwrap_or(rest.len())),
        };
        parts.push(part.to_owned());
        rest = after.strip_prefix('.').unwrap_or(after);
    }
    parts
}

/// What a chart knows: its keys with the type of the default, and the paths below which all is known.
#[derive(Default)]
struct Keys {
    types: BTreeMap<KeyPath, String>,
    free: BTreeSet<KeyPath>,
}

impl Keys {
    fn of_chart(name: &str, version: &str) -> Self {
        let mut keys = Self::default();
        keys.read(&format!("{name}-{version}"), &[]);
        for (sub, list) in SUB_CHARTS.iter().filter(|(chart, _)| *chart == name).flat_map(|(_, subs)| *subs) {
            keys.read(list, &[(*sub).to_owned()]);
        }
        let free = fs_err::read_to_string(package("tests/keys/free-form.txt")).unwrap();
        let lines = free.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once(' '));
        keys.free = lines.filter(|(chart, _)| *chart == name).map(|(_, path)| parse_path(path)).collect();
        keys
    }

    fn read(&mut self, list: &str, below: &[String]) {
        let text = fs_err::read_to_string(package(&format!("tests/keys/{list}.keys"))).unwrap();
        for (path, kind) in text.lines().filter_map(|line| line.rsplit_once(' ')) {
            self.types.insert([below, &parse_path(path)].concat(), kind.to_owned());
        }
    }

    /// Returns what is wrong with a value at a path; mappings are looked into, lists are not.
    fn problems(&self, path: &[String], value: &Value, found: &mut Vec<String>) {
        if (1..=path.len()).any(|length| self.free.contains(&path[..length])) {
            return;
        }
        if let Some(map) = value.as_object().filter(|map| !map.is_empty()) {
            for (key, value) in map {
                self.problems(&[path, std::slice::from_ref(key)].concat(), value, found);
            }
            return;
        }
        match self.types.get(path) {
            Some(kind) if fits(kind, value) => {}
            // As the README of the lists says, this one takes a list too.
            Some(_) if path == ["global", "imagePullSecrets"] => {}
            Some(kind) => found.push(format!("{} is {kind}, not {value}", path.join("."))),
            None if value.is_object() && self.types.keys().any(|known| known.starts_with(path)) => {}
            None => found.push(format!("{} is unknown", path.join("."))),
        }
    }
}

fn fits(kind: &str, value: &Value) -> bool {
    match kind {
        "str" => value.is_string() || value.is_null(),
        "bool" => value.is_boolean() || value.is_null(),
        "int" | "float" => value.is_number() || value.is_null(),
        "list" => value.is_array() || value.is_null(),
        "map" => value.is_object() || value.is_null(),
        "null" => true,
        other => panic!("no such type in the lists: {other}"),
    }
}

#[test]
fn every_key_exists_in_the_pinned_upstream_chart() {
    let mut problems = BTreeSet::new();
    let mut known: BTreeMap<&ChartRef, Keys> = BTreeMap::new();
    for (config, stack) in stacks() {
        for release in &stack.releases {
            let ChartRef::Upstream { name, version, .. } = &release.chart else { continue };
            let keys = known.entry(&release.chart).or_insert_with(|| Keys::of_chart(name, version));
            let mut values = vec![release.values.clone()];
            values.extend(release.crds.iter().filter_map(|crds| crds.render.clone()).map(Value::Object));
            let mut found = Vec::new();
            for value in values {
                keys.problems(&[], &value, &mut found);
            }
            problems.extend(found.into_iter().map(|problem| format!("{} ({config}): {problem}", release.name)));
        }
    }
    assert!(problems.is_empty(), "{}", problems.into_iter().collect::<Vec<_>>().join("\n"));
}

#[test]
fn every_list_of_keys_belongs_to_a_pinned_chart() {
    let mut wanted: BTreeSet<String> =
        SUB_CHARTS.iter().flat_map(|(_, subs)| *subs).map(|(_, list)| format!("{list}.keys")).collect();
    for (_, stack) in stacks() {
        wanted.extend(stack.releases.iter().filter_map(|release| match &release.chart {
            ChartRef::Upstream { name, version, .. } => Some(format!("{name}-{version}.keys")),
            _ => None,
        }));
    }
    let found: BTreeSet<String> = fs_err::read_dir(package("tests/keys"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".keys"))
        .collect();
    assert_eq!(found, wanted);
}

/// The check itself must be able to fail.
#[test]
fn an_unknown_key_and_a_wrong_type_are_found() {
    let keys = Keys::of_chart("kube-prometheus-stack", "88.5.3");
    for (values, said) in [
        (serde_json::json!({"grafana": {"replicsa": 1}}), vec!["grafana.replicsa is unknown"]),
        (serde_json::json!({"grafana": {"replicas": "one"}}), vec!["grafana.replicas is int, not \"one\""]),
        (serde_json::json!({"nope": {}}), vec!["nope is unknown"]),
        (serde_json::json!({"grafana": {"grafana.ini": {"server": {"domain": "x"}}}}), vec![]),
        (serde_json::json!({"grafana": {}}), vec![]),
    ] {
        let mut found = Vec::new();
        keys.problems(&[], &values, &mut found);
        assert_eq!(found, said, "{values}");
    }
}

/// Looks up a path in a JSON schema, which every chart of this project has.
fn in_schema<'a>(root: &'a Value, schema: &'a Value, path: &[String]) -> bool {
    let schema = match schema["$ref"].as_str() {
        Some(reference) => root.pointer(reference.trim_start_matches('#')).unwrap(),
        None => schema,
    };
    let Some((first, rest)) = path.split_first() else { return true };
    match (&schema["properties"][first], &schema["additionalProperties"]) {
        (Value::Null, Value::Bool(false)) => false,
        (Value::Null, additional @ Value::Object(_)) => in_schema(root, additional, rest),
        // An object without properties takes any.
        (Value::Null, _) => schema["properties"].is_null(),
        (known, _) => in_schema(root, known, rest),
    }
}

fn leaves(path: &[String], value: &Value, found: &mut Vec<KeyPath>) {
    match value.as_object().filter(|map| !map.is_empty()) {
        Some(map) => {
            for (key, value) in map {
                leaves(&[path, std::slice::from_ref(key)].concat(), value, found);
            }
        }
        None => found.push(path.to_vec()),
    }
}

#[test]
fn every_key_exists_in_the_schema_of_our_own_charts() {
    for (config, stack) in stacks() {
        for release in &stack.releases {
            let ChartRef::Stack { name } = &release.chart else { continue };
            let files = StackSource::Embedded.chart_files(name).unwrap();
            let schema: Value = serde_json::from_slice(&files["values.schema.json"]).unwrap();
            let mut paths = Vec::new();
            leaves(&[], &release.values, &mut paths);
            for path in paths {
                assert!(in_schema(&schema, &schema, &path), "{config}: {name} does not know {}", path.join("."));
            }
        }
    }
}

/// A key that the schema takes but no template reads would do nothing.
#[test]
fn every_key_stands_in_the_values_of_our_own_charts() {
    for (config, stack) in stacks() {
        for release in &stack.releases {
            let ChartRef::Stack { name } = &release.chart else { continue };
            let files = StackSource::Embedded.chart_files(name).unwrap();
            let defaults: Value = serde_saphyr::from_slice(&files["values.yaml"]).unwrap();
            let mut paths = Vec::new();
            leaves(&[], &release.values, &mut paths);
            for path in paths {
                let mut node = &defaults;
                for part in &path {
                    // Below an empty mapping or null the user's keys begin.
                    if node.as_object().is_none_or(serde_json::Map::is_empty) {
                        break;
                    }
                    assert!(node.get(part).is_some(), "{config}: {name} does not know {}", path.join("."));
                    node = &node[part];
                }
            }
        }
    }
}

#[test]
fn rendering_twice_gives_the_same() {
    for ((name, one), (_, text)) in stacks().iter().zip(CONFIGS) {
        let two = stack(text);
        for (one, two) in one.releases.iter().zip(&two.releases) {
            assert_eq!(one.values.to_string(), two.values.to_string(), "{name}: {}", one.name);
        }
    }
}

/// Returns `enabled` of every mapping named `ingress` at any depth.
fn ingresses(value: &Value) -> Vec<&Value> {
    let entries = value.as_object().into_iter().flatten();
    entries.flat_map(|(key, value)| if key == "ingress" { vec![&value["enabled"]] } else { ingresses(value) }).collect()
}

#[test]
fn an_ingress_is_on_where_there_is_a_domain() {
    for (text, on) in [("", false), ("domain: ml.example.com\n", true)] {
        for release in stack(text).releases.iter().filter(|release| release.ui.is_some()) {
            let found = ingresses(&release.values);
            assert_eq!(found.contains(&&Value::Bool(true)), on, "{}: {}", release.name, release.values);
        }
    }
}

#[test]
fn the_domain_reaches_every_ui() {
    let stack = stack("domain: ml.example.com\n");
    for release in stack.releases.iter().filter(|release| release.ui.is_some()) {
        let host = format!("{}.ml.example.com", release.ui.as_ref().unwrap().host);
        assert!(release.values.to_string().contains(&host), "{} does not know {host}", release.name);
    }
}
