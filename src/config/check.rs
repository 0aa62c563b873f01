//! Holds a document against a JSON schema and finds all problems, each at its place.
//!
//! serde stops at the first problem and cannot say what was meant; so the document is checked against the schema that
//! schemars makes of the same types first, and deserialised only when nothing is wrong with it.

use serde_json::{Map, Value};

use super::diagnostic::Diagnostic;
use super::node::{Node, SpannedNode};

/// Returns all problems of a document.
pub fn check(document: &SpannedNode, schema: &Value) -> Vec<Diagnostic> {
    let mut checker = Checker { root: schema, problems: Vec::new() };
    checker.check(document, schema, &mut Vec::new());
    checker.problems
}

/// Returns the closest of several names, if one is close enough to have been meant.
pub(crate) fn suggestion<'a>(wrong: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wrong = wrong.to_lowercase();
    let limit = (wrong.chars().count() / 3).max(1);
    names
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&wrong, &name.to_lowercase()), name))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

struct Checker<'a> {
    root: &'a Value,
    problems: Vec<Diagnostic>,
}

impl<'a> Checker<'a> {
    fn check(&mut self, node: &SpannedNode, schema: &'a Value, path: &mut Vec<String>) {
        let schema = self.resolve(schema);
        if let Some(choices) = schema.get("anyOf").and_then(Value::as_array) {
            return self.check_optional(node, choices, path);
        }
        let allowed = constants(schema);
        if !allowed.is_empty() {
            return self.check_choice(node, &allowed, path);
        }
        if !self.check_type(node, schema, path) {
            return;
        }
        match &node.value {
            Node::Mapping(entries) => self.check_mapping(node, entries, schema, path),
            Node::Sequence(items) => {
                if let Some(item_schema) = schema.get("items") {
                    for (index, item) in items.iter().enumerate() {
                        path.push(index.to_string());
                        self.check(item, item_schema, path);
                        path.pop();
                    }
                }
            }
            Node::String(text) => {
                self.check_length(node, text, schema, path);
                self.check_pattern(node, text, schema, path);
            }
            Node::Number(number) => self.check_range(node, number.as_f64().unwrap_or_default(), schema, path),
            Node::Null | Node::Bool(_) => {}
        }
    }

    fn resolve(&self, schema: &'a Value) -> &'a Value {
        match schema.get("$ref").and_then(Value::as_str) {
            Some(reference) => self.root.pointer(reference.trim_start_matches('#')).unwrap_or(schema),
            None => schema,
        }
    }

    /// schemars writes an optional type as `anyOf: [type, null]`.
    fn check_optional(&mut self, node: &SpannedNode, choices: &'a [Value], path: &mut Vec<String>) {
        let is_null = |schema: &Value| schema.get("type").and_then(Value::as_str) == Some("null");
        if matches!(node.value, Node::Null) && choices.iter().any(is_null) {
            return;
        }
        if let Some(schema) = choices.iter().find(|schema| !is_null(schema)) {
            self.check(node, schema, path);
        }
    }

    fn check_choice(&mut self, node: &SpannedNode, allowed: &[&str], path: &[String]) {
        let text = match &node.value {
            Node::String(text) if allowed.contains(&text.as_str()) => return,
            Node::String(text) => text.clone(),
            other => other.to_json().to_string(),
        };
        let message = format!("`{}` cannot be `{text}`", path.join("."));
        let help = match suggestion(&text, allowed.iter().copied()) {
            Some(name) => format!("did you mean `{name}`?"),
            None => format!("one of {}", list(allowed)),
        };
        self.problems.push(Diagnostic::at(node.referenced, message).help(help));
    }

    fn check_type(&mut self, node: &SpannedNode, schema: &Value, path: &[String]) -> bool {
        let wanted: Vec<&str> = match schema.get("type") {
            Some(Value::String(name)) => vec![name],
            Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
            _ => return true,
        };
        let fits = wanted.iter().any(|name| match *name {
            "object" => matches!(node.value, Node::Mapping(_)),
            "array" => matches!(node.value, Node::Sequence(_)),
            "string" => matches!(node.value, Node::String(_)),
            "boolean" => matches!(node.value, Node::Bool(_)),
            "integer" => matches!(&node.value, Node::Number(number) if !number.is_f64()),
            "number" => matches!(node.value, Node::Number(_)),
            "null" => matches!(node.value, Node::Null),
            _ => true,
        });
        if fits {
            return true;
        }
        let names: Vec<&str> = wanted.iter().filter(|name| **name != "null").map(|name| noun(name)).collect();
        let place = if path.is_empty() { "the file".to_owned() } else { format!("`{}`", path.join(".")) };
        let message = format!("{place} must be {}, not {}", names.join(" or "), node.value.kind());
        let mut problem = Diagnostic::at(node.referenced, message);
        if wanted.contains(&"string") && matches!(node.value, Node::Number(_) | Node::Bool(_)) {
            problem = problem.help("put it in quotes");
        } else if matches!(node.value, Node::Null) {
            problem = problem.help("give a value or leave the key out");
        }
        self.problems.push(problem);
        false
    }

    fn check_mapping(
        &mut self,
        node: &SpannedNode,
        entries: &[(serde_saphyr::Spanned<String>, SpannedNode)],
        schema: &'a Value,
        path: &mut Vec<String>,
    ) {
        static NONE: std::sync::LazyLock<Map<String, Value>> = std::sync::LazyLock::new(Map::new);
        let properties = schema.get("properties").and_then(Value::as_object).unwrap_or(&NONE);
        let additional = schema.get("additionalProperties");
        for (key, value) in entries {
            if let Some(schema) = properties.get(&key.value) {
                path.push(key.value.clone());
                self.check(value, schema, path);
                path.pop();
            } else if additional == Some(&Value::Bool(false)) {
                let place = if path.is_empty() { String::new() } else { format!(" in `{}`", path.join(".")) };
                let mut problem = Diagnostic::at(key.referenced, format!("unknown key `{}`{place}", key.value));
                let names = properties.keys().map(String::as_str);
                problem = match suggestion(&key.value, names.clone()) {
                    Some(name) => problem.help(format!("did you mean `{name}`?")),
                    None => problem.help(format!("known: {}", names.collect::<Vec<_>>().join(", "))),
                };
                self.problems.push(problem);
            } else if let Some(schema) = additional.filter(|schema| schema.is_object()) {
                path.push(key.value.clone());
                self.check(value, schema, path);
                path.pop();
            }
        }
        for name in schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
            if !entries.iter().any(|(key, _)| key.value == name) {
                let place = if path.is_empty() { String::new() } else { format!(" in `{}`", path.join(".")) };
                self.problems.push(Diagnostic::at(node.referenced, format!("missing key `{name}`{place}")));
            }
        }
    }

    fn check_length(&mut self, node: &SpannedNode, text: &str, schema: &Value, path: &[String]) {
        let minimum = schema.get("minLength").and_then(Value::as_u64).unwrap_or(0);
        if text.is_empty() && minimum > 0 {
            self.problems.push(Diagnostic::at(node.referenced, format!("`{}` must not be empty", path.join("."))));
        }
    }

    fn check_pattern(&mut self, node: &SpannedNode, text: &str, schema: &Value, path: &[String]) {
        let Some(pattern) = schema.get("pattern").and_then(Value::as_str) else { return };
        let matches = regex_lite::Regex::new(pattern).is_ok_and(|regex| regex.is_match(text));
        if !matches {
            let message = format!("`{}` cannot be `{text}`", path.join("."));
            self.problems.push(Diagnostic::at(node.referenced, message).help(format!("must match {pattern}")));
        }
    }

    fn check_range(&mut self, node: &SpannedNode, number: f64, schema: &Value, path: &[String]) {
        let bound = |name: &str| schema.get(name).and_then(Value::as_f64);
        let (minimum, maximum) = (bound("minimum"), bound("maximum"));
        if minimum.is_some_and(|bound| number < bound) || maximum.is_some_and(|bound| number > bound) {
            let range = match (minimum, maximum) {
                (Some(low), Some(high)) => format!("from {low} to {high}"),
                (Some(low), None) => format!("at least {low}"),
                (None, Some(high)) => format!("at most {high}"),
                (None, None) => return,
            };
            self.problems.push(Diagnostic::at(node.referenced, format!("`{}` must be {range}", path.join("."))));
        }
    }
}

/// Returns the strings that a schema allows, in both forms that schemars writes for an enum.
fn constants(schema: &Value) -> Vec<&str> {
    let plain = schema.get("enum").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let single = schema.get("const").and_then(Value::as_str);
    let described = schema.get("oneOf").and_then(Value::as_array).into_iter().flatten();
    plain.chain(single).chain(described.flat_map(constants)).collect()
}

fn noun(type_name: &str) -> &'static str {
    match type_name {
        "object" => "a mapping",
        "array" => "a list",
        "string" => "a string",
        "boolean" => "true or false",
        "integer" => "an integer",
        _ => "a number",
    }
}

fn list(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
