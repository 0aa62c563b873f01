//! The content of Secrets, made by rule.

use std::collections::BTreeMap;

use rand::RngExt as _;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value};

use super::catalog::RandomRule;
use super::context::Context;
use super::resolve::Secret;
use crate::render::{Engine, RenderError};

/// The keys and values of one Secret. `Debug` shows no value.
pub type SecretContent = BTreeMap<String, SecretString>;

/// Why the content of a Secret cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// A typed-in value breaks the rule of its key.
    #[error("the value for `{key}` of Secret `{secret}` must have {minimum} to 128 letters or digits")]
    Rule {
        /// The Secret.
        secret: String,
        /// The key.
        key: String,
        /// The shortest length.
        minimum: usize,
    },
    /// A template fails.
    #[error(transparent)]
    Render(#[from] RenderError),
}

/// Completes a Secret: `known` are the values that exist or were typed in, the others are made by their rules.
/// `before` holds the content of the Secrets before it, for derived keys.
pub fn derive_keys(
    secret: &Secret,
    known: SecretContent,
    before: &BTreeMap<String, SecretContent>,
    context: &Context,
    mut random: impl FnMut(&RandomRule) -> SecretString,
) -> Result<SecretContent, SecretError> {
    let engine = Engine::new();
    let mut content = known;
    for (key, rule) in &secret.keys {
        if content.contains_key(key) {
            continue;
        }
        let value = if let Some(value) = &rule.value {
            SecretString::from(value.clone())
        } else if let Some(rule) = &rule.random {
            random(rule)
        } else {
            let template = rule.derive.as_deref().unwrap_or_default();
            let mut variables = context.with("keys", exposed(&content));
            if let Some(variables) = variables.as_object_mut() {
                let others: Map<String, Value> =
                    before.iter().map(|(name, content)| (name.clone(), exposed(content))).collect();
                variables.insert("contents".into(), Value::Object(others));
            }
            SecretString::from(engine.secret_text(
                &format!("stack.yaml: secret {}, key {key}", secret.name),
                template,
                &variables,
            )?)
        };
        content.insert(key.clone(), value);
    }
    Ok(content)
}

/// Returns random text that keeps a rule, from the operating system's source.
pub fn random_text(rule: &RandomRule) -> SecretString {
    let characters = rule.alphabet.characters().as_bytes();
    let mut rng = rand::rng();
    let text: String =
        (0..rule.length).map(|_| char::from(characters[rng.random_range(0..characters.len())])).collect();
    SecretString::from(text)
}

fn exposed(content: &SecretContent) -> Value {
    Value::Object(content.iter().map(|(key, value)| (key.clone(), value.expose_secret().into())).collect())
}
