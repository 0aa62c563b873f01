//! Making Secrets. An existing one always wins; content passes only through memory and standard input.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value, json};

use crate::cluster::{GENERATION_LABEL, MANAGED_BY_LABEL, MANAGER, STACK_LABEL};
use crate::exec::{ExecError, Runner};
use crate::kubectl;
use crate::plan::SecretPlan;
use crate::stack::{Secret, SecretContent, SecretError, Stack, derive_keys, random_text};

/// Why a Secret could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SecretStepError {
    /// Its content could not be made.
    #[error(transparent)]
    Content(#[from] SecretError),
    /// The API server refused it.
    #[error(transparent)]
    Exec(#[from] ExecError),
}

/// Makes the planned Secrets and copies. `typed` holds values that a person gave.
pub(super) async fn apply(
    runner: &Runner,
    stack: &Stack,
    plans: &[SecretPlan],
    typed: &BTreeMap<String, SecretContent>,
) -> Result<(), SecretStepError> {
    if plans.is_empty() {
        return Ok(());
    }
    let mut contents = if plans.iter().all(|plan| plan.create) && plans.len() == stack.secrets.len() {
        // A first run: there is nothing to read.
        BTreeMap::new()
    } else {
        existing(runner, &stack.secrets).await?
    };
    let mut objects = Vec::new();
    for plan in plans {
        let secret = &plan.secret;
        if plan.create && !contents.contains_key(&secret.name) {
            let known = typed.get(&secret.name).cloned().unwrap_or_default();
            let content = derive_keys(secret, known, &contents, &stack.context, random_text)?;
            objects.push(object(secret, &secret.namespace, &stack.id, &plan.generation, &content));
            contents.insert(secret.name.clone(), content);
        }
    }
    if !objects.is_empty()
        && let Err(error) = runner.run(kubectl::create(&objects)).await
    {
        if !kubectl::already_exists(&error) {
            return Err(error.into());
        }
        // Somebody made one in between; it wins, and copies are made of it.
        contents = existing(runner, &stack.secrets).await?;
    }
    let copies: Vec<Value> = plans
        .iter()
        .filter_map(|plan| Some((plan, contents.get(&plan.secret.name)?)))
        .flat_map(|(plan, content)| {
            let copy = |namespace: &String| object(&plan.secret, namespace, &stack.id, &plan.generation, content);
            plan.copies.iter().map(copy).collect::<Vec<_>>()
        })
        .collect();
    if !copies.is_empty() {
        match runner.run(kubectl::create(&copies)).await {
            // A copy of another generation; all of them are what they should be, so all may be replaced.
            Err(error) if kubectl::already_exists(&error) => {
                runner.run(kubectl::replace_all(&copies)).await?;
            }
            other => {
                other?;
            }
        }
    }
    Ok(())
}

/// Reads the content of Secrets, one call per namespace.
pub(crate) async fn existing(
    runner: &Runner,
    secrets: &[Secret],
) -> Result<BTreeMap<String, SecretContent>, ExecError> {
    let mut by_namespace: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for secret in secrets {
        by_namespace.entry(&secret.namespace).or_default().push(format!("secret/{}", secret.name));
    }
    let mut contents = BTreeMap::new();
    for (namespace, names) in by_namespace {
        let output = runner.run(kubectl::get(names, Some(namespace))).await?;
        for object in kubectl::items(&output.stdout) {
            let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
            contents.insert(name, content_of(&object));
        }
    }
    Ok(contents)
}

fn content_of(object: &Value) -> SecretContent {
    let data = object["data"].as_object().into_iter().flatten();
    data.filter_map(|(key, value)| {
        let bytes = STANDARD.decode(value.as_str()?).ok()?;
        Some((key.clone(), SecretString::from(String::from_utf8(bytes).ok()?)))
    })
    .collect()
}

fn object(secret: &Secret, namespace: &str, stack: &str, generation: &str, content: &SecretContent) -> Value {
    let data: Map<String, Value> =
        content.iter().map(|(key, value)| (key.clone(), STANDARD.encode(value.expose_secret()).into())).collect();
    json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "type": secret.secret_type,
        "metadata": {
            "name": secret.name,
            "namespace": namespace,
            "labels": {MANAGED_BY_LABEL: MANAGER, STACK_LABEL: stack, GENERATION_LABEL: generation},
        },
        "data": data,
    })
}
