//! From the text of `mlops.yaml` to a [`Config`].

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::check::check;
use super::diagnostic::{Diagnostic, Diagnostics};
use super::node::{Node, SpannedNode};
use super::schema::{Config, json_schema};
use crate::render::merge;

/// Why a config file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// There is no such file.
    #[error("there is no config file {}", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be read.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// The file has problems, all of them listed.
    #[error("{0}")]
    Invalid(#[from] Diagnostics),
}

/// A config file as read.
#[derive(Debug, Clone)]
pub struct LoadedConfig {
    /// The typed content, profile and defaults filled in.
    pub config: Config,
    /// The content with places, for later problems.
    pub document: SpannedNode,
    /// The file.
    pub path: PathBuf,
    /// The text.
    pub source: String,
}

impl LoadedConfig {
    /// Returns an error that lists problems of this file.
    pub fn invalid(&self, problems: Vec<Diagnostic>) -> ConfigError {
        Diagnostics::new(&self.path, &self.source, problems).into()
    }

    /// Returns a problem at the value of a path, or at the deepest part of the path that is in the file.
    pub fn problem_at(&self, path: &[&str], message: impl Into<String>) -> Diagnostic {
        let mut location = self.document.referenced;
        let mut node = &self.document;
        for name in path {
            let next = match &node.value {
                Node::Sequence(items) => {
                    name.parse().ok().and_then(|index: usize| items.get(index)).map(|item| (item.referenced, item))
                }
                other => other.get(name).map(|(key, value)| (key.referenced, value)),
            };
            let Some((place, child)) = next else { break };
            location = place;
            node = child;
        }
        // A scalar is what is wrong; of a mapping or list, its key.
        if !matches!(node.value, Node::Mapping(_) | Node::Sequence(_)) {
            location = node.referenced;
        }
        Diagnostic::at(location, message)
    }
}

/// Reads and checks a config file; `profiles` are the defaults per profile from `stack.yaml`.
pub fn load(path: &Path, profiles: &Map<String, Value>) -> Result<LoadedConfig, ConfigError> {
    let bytes = match fs_err::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(ConfigError::Missing { path: path.to_owned() });
        }
        Err(error) => return Err(error.into()),
    };
    let source = String::from_utf8(bytes).map_err(|error| not_text(path, &error))?;
    parse(path, source, profiles)
}

/// Points at the first byte that is not UTF-8.
fn not_text(path: &Path, error: &std::string::FromUtf8Error) -> Diagnostics {
    let end = error.utf8_error().valid_up_to();
    let before = String::from_utf8_lossy(&error.as_bytes()[..end]).into_owned();
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |rest| rest.chars().count()) + 1;
    let message = "the file is not UTF-8 text".to_owned();
    Diagnostics::new(path, &before, vec![Diagnostic { line, column, length: 0, message, help: None }])
}

/// Checks the text of a config file.
pub fn parse(path: &Path, source: String, profiles: &Map<String, Value>) -> Result<LoadedConfig, ConfigError> {
    let document = parse_document(path, &source)?;
    if matches!(document.value, Node::Null) {
        let problem = Diagnostic { line: 1, column: 1, length: 0, message: "the file is empty".into(), help: None };
        let problem = problem.help("`mlopsctl init` writes a complete one");
        return Err(Diagnostics::new(path, &source, vec![problem]).into());
    }
    let problems = check(&document, &json_schema());
    if !problems.is_empty() {
        return Err(Diagnostics::new(path, &source, problems).into());
    }
    let file = document.value.to_json();
    let profile = file.get("profile").and_then(Value::as_str).unwrap_or("laptop");
    let mut value = profiles.get(profile).cloned().unwrap_or_else(|| Value::Object(Map::new()));
    merge(&mut value, file);
    let config = typed(path, &source, value)?;
    let loaded = LoadedConfig { config, document, path: path.to_owned(), source };
    let problems = super::semantic::check(&loaded);
    if problems.is_empty() { Ok(loaded) } else { Err(loaded.invalid(problems)) }
}

/// Reads YAML of the catalog's kind: checked against the schema of `T`, all problems at once.
pub fn parse_catalog_yaml<T: DeserializeOwned + schemars::JsonSchema>(
    path: &Path,
    source: &str,
) -> Result<T, ConfigError> {
    let document = parse_document(path, source)?;
    let schema = schemars::schema_for!(T).to_value();
    let problems = check(&document, &schema);
    if !problems.is_empty() {
        return Err(Diagnostics::new(path, source, problems).into());
    }
    typed(path, source, document.value.to_json())
}

fn parse_document(path: &Path, source: &str) -> Result<SpannedNode, ConfigError> {
    crate::render::from_yaml(source).map_err(|error| {
        let text = error.without_snippet().to_string();
        // The place stands in front of our message already, and the parser's advice is for its callers.
        let message = text.split(" at line ").next().unwrap_or(&text);
        let message = message.split(", set DuplicateKeyPolicy").next().unwrap_or(message);
        let message =
            if message.starts_with("multiple YAML documents") { "more than one YAML document" } else { message };
        let message = if message.starts_with("budget breached") {
            "the file unfolds to more than can be meant; does an alias refer to many others?"
        } else {
            message
        };
        let problem = match error.location() {
            Some(location) => Diagnostic::at(location, message),
            None => Diagnostic { line: 1, column: 1, length: 0, message: message.into(), help: None },
        };
        Diagnostics::new(path, source, vec![problem]).into()
    })
}

/// Deserialises what the schema has passed. A failure here is a difference between schema and type, still told with the path.
fn typed<T: DeserializeOwned>(path: &Path, source: &str, value: Value) -> Result<T, ConfigError> {
    serde_json::from_value(value).map_err(|error| {
        let problem = Diagnostic { line: 1, column: 1, length: 0, message: error.to_string(), help: None };
        Diagnostics::new(path, source, vec![problem]).into()
    })
}
