//! What templates see.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::catalog::StackFile;
use crate::config::Config;
use crate::render::{Engine, RenderError};

/// The variables of all templates of one stack.
#[derive(Debug, Clone)]
pub struct Context {
    base: Map<String, Value>,
}

impl Context {
    /// Builds the context: config, namespaces, secrets, host names, then the `vars` of `stack.yaml` one after another.
    ///
    /// `generations` holds the generation id per Secret name; `enabled` says which releases are part of the stack.
    pub(super) fn build(
        engine: &Engine,
        config: &Config,
        catalog: &StackFile,
        generations: &BTreeMap<String, String>,
        enabled: &BTreeMap<String, bool>,
    ) -> Result<Self, RenderError> {
        let mut context = Self::of_config(config);
        context.base.insert("enabled".into(), json!(enabled));
        let hosts: Map<String, Value> = catalog
            .releases
            .iter()
            .chain(&config.releases)
            .filter_map(|release| release.ui.as_ref())
            .map(|ui| {
                (
                    ui.host.clone(),
                    if config.domain.is_empty() { json!("") } else { json!(format!("{}.{}", ui.host, config.domain)) },
                )
            })
            .collect();
        context.base.insert("hosts".into(), hosts.into());
        let secrets: Map<String, Value> = catalog
            .secrets
            .iter()
            .map(|secret| {
                let generation = generations.get(&secret.name).map_or("none", String::as_str);
                let namespace = namespace_name(config, &secret.namespace);
                (secret.name.clone(), json!({"name": secret.name, "namespace": namespace, "generation": generation}))
            })
            .collect();
        context.base.insert("secrets".into(), secrets.into());
        for (name, template) in &catalog.vars {
            let value = match template {
                Value::String(text) => {
                    Value::String(engine.text(&format!("stack.yaml: vars.{name}"), text, &context.value())?)
                }
                other => other.clone(),
            };
            if let Some(vars) = context.base.get_mut("vars").and_then(Value::as_object_mut) {
                vars.insert(name.clone(), value);
            }
        }
        Ok(context)
    }

    /// Returns the part that `when` expressions see.
    pub(super) fn of_config(config: &Config) -> Self {
        let mut base = Map::new();
        base.insert("config".into(), serde_json::to_value(config).unwrap_or_default());
        base.insert("namespaces".into(), serde_json::to_value(&config.namespaces).unwrap_or_default());
        base.insert("vars".into(), Value::Object(Map::new()));
        Self { base }
    }

    /// Returns the variables as one value.
    pub fn value(&self) -> Value {
        Value::Object(self.base.clone())
    }

    /// Returns the variables with further ones.
    #[must_use]
    pub fn with(&self, name: &str, value: Value) -> Value {
        let mut base = self.base.clone();
        base.insert(name.to_owned(), value);
        Value::Object(base)
    }
}

/// Returns the real name of a namespace that the catalog names by its part.
pub(super) fn namespace_name(config: &Config, part: &str) -> String {
    match part {
        "system" => config.namespaces.system.clone(),
        "dev" => config.namespaces.dev.clone(),
        "prod" => config.namespaces.prod.clone(),
        other => other.to_owned(),
    }
}
