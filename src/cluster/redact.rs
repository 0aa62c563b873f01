//! Taking the values of Secrets out of what others have written.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

use crate::exec::{ExecError, Invocation, Runner, Tool};
use crate::kubectl;

/// What stands for a value that was taken out.
const MASK: &str = "***";
/// Shorter values are words that occur everywhere.
const SHORTEST: usize = 4;
/// Keys whose value is a name that everybody knows.
const NAMES: &[&str] = &["username", "user", "rootUser", "admin-user", "AWS_REGION", "ca.crt"];

/// Knows the values of Secrets, to take them out of texts.
#[derive(Debug, Default)]
pub struct Redactor {
    /// The longest first: one may be part of another.
    values: Vec<SecretString>,
}

impl Redactor {
    /// Reads the Secrets of namespaces, but not helm's own.
    pub async fn load(runner: &Runner, namespaces: impl IntoIterator<Item = &str>) -> Result<Self, ExecError> {
        let mut objects = Vec::new();
        for namespace in namespaces {
            let call = Invocation::new(Tool::Kubectl, ["get", "secrets", "--namespace", namespace, "-o", "json"])
                .args(["--field-selector", "type!=helm.sh/release.v1"]);
            objects.extend(kubectl::items(&runner.run(call).await?.stdout));
        }
        Ok(Self::of(&objects))
    }

    /// Returns what takes out the values of these Secrets: as they are, in base64, and line by line.
    pub fn of(secrets: &[Value]) -> Self {
        let mut values = BTreeSet::new();
        for (key, encoded) in secrets.iter().flat_map(|it| it["data"].as_object().into_iter().flatten()) {
            let Some(encoded) = encoded.as_str().filter(|_| !NAMES.contains(&key.as_str())) else { continue };
            values.insert(encoded.to_owned());
            let Ok(plain) = STANDARD.decode(encoded).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()) else {
                continue;
            };
            values.extend(plain.lines().map(|line| line.trim().to_owned()));
            // In JSON a value stands with its quotes and line ends escaped.
            values.insert(Value::from(plain.as_str()).to_string().trim_matches('"').to_owned());
            values.insert(plain.trim().to_owned());
        }
        let mut values: Vec<String> = values.into_iter().filter(|value| value.len() >= SHORTEST).collect();
        values.sort_by_key(|value| std::cmp::Reverse(value.len()));
        Self { values: values.into_iter().map(SecretString::from).collect() }
    }

    /// Returns a text without the values.
    pub fn clean(&self, text: &str) -> String {
        let mut clean = text.to_owned();
        for value in self.values.iter().map(SecretString::expose_secret) {
            if clean.contains(value) {
                clean = clean.replace(value, MASK);
            }
        }
        clean
    }
}
