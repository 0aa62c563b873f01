//! Secrets of the rendered folder: their forms, and the lines of the script that fill them.

use serde_json::{Map, Value, json};

use crate::render::{Engine, RenderError};
use crate::stack::{Alphabet, Secret, Stack};

pub(super) const FORM_HEADER: &str = "# The Secrets that the stack reads, without values. install.sh makes those that do not exist; to choose values\n\
# yourself, create them beforehand with these names and keys.\n";

/// A mark that survives every filter of a template; the shell variable's name stands between the two halves.
const MARK: (&str, &str) = ("9QBEGINQ9", "9QENDQ9");
/// Follows a mark whose value is to be hashed.
const HASHED: &str = "9QHASHQ9";

/// Returns the Secrets with empty values.
pub(super) fn forms(stack: &Stack) -> Vec<Value> {
    let form = |secret: &Secret, namespace: &str| {
        let data: Map<String, Value> = secret.keys.iter().map(|(key, _)| (key.clone(), "".into())).collect();
        json!({
            "apiVersion": "v1", "kind": "Secret", "type": secret.secret_type,
            "metadata": {"name": secret.name, "namespace": namespace}, "stringData": data,
        })
    };
    stack
        .secrets
        .iter()
        .flat_map(|secret| std::iter::once(&secret.namespace).chain(&secret.copies).map(move |it| form(secret, it)))
        .collect()
}

/// Returns the lines that make a Secret and its copies, unless they exist. Values pass through shell variables and
/// standard input, never through an argument.
pub(super) fn lines(stack: &Stack, secret: &Secret) -> Result<String, RenderError> {
    let mut text = vec![format!("\n# {}\n", secret.title)];
    let namespace = &secret.namespace;
    if secret.must_exist {
        text.push(format!("must_exist {namespace} {}\n", secret.name));
    }
    for (key, rule) in &secret.keys {
        let variable = variable(&secret.name, key);
        let fallback = match (&rule.value, &rule.random, &rule.derive) {
            (Some(value), _, _) => single_quoted(value),
            (_, Some(random), _) => format!("\"$(random {} {})\"", random.length, character_class(random.alphabet)),
            (_, _, Some(template)) => format!("\"{}\"", shell_text(&symbolic(stack, secret, template)?)),
            (None, None, None) => "''".to_owned(),
        };
        text.push(format!("{variable}=$(value {namespace} {} {})\n", secret.name, single_quoted(key)));
        text.push(format!("[ -n \"${variable}\" ] || {variable}={fallback}\n"));
    }
    for namespace in std::iter::once(namespace).chain(&secret.copies) {
        let data: Map<String, Value> =
            secret.keys.iter().map(|(key, _)| (key.clone(), mark(&variable(&secret.name, key)).into())).collect();
        let object = json!({
            "apiVersion": "v1", "kind": "Secret", "type": secret.secret_type,
            "metadata": {"name": secret.name, "namespace": namespace}, "data": data,
        });
        text.push(format!(
            "exists {namespace} {} || \"$KUBECTL\" create -f - >/dev/null <<EOF\n{}\nEOF\n",
            secret.name,
            encoded(&object.to_string())
        ));
    }
    Ok(text.concat())
}

fn variable(secret: &str, key: &str) -> String {
    let plain = |text: &str| text.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect::<String>();
    format!("secret_{}_{}", plain(secret), plain(key))
}

fn mark(variable: &str) -> String {
    // Letters and digits only, so that no filter changes it.
    let name: String = variable.chars().map(|c| if c == '_' { "9QQ9".to_owned() } else { c.to_string() }).collect();
    format!("{}{name}{}", MARK.0, MARK.1)
}

/// Renders the template of a derived key over marks instead of values.
fn symbolic(stack: &Stack, secret: &Secret, template: &str) -> Result<String, RenderError> {
    let marks = |secret: &Secret| -> Value {
        Value::Object(
            secret.keys.iter().map(|(key, _)| (key.clone(), mark(&variable(&secret.name, key)).into())).collect(),
        )
    };
    let mut variables = stack.context.with("keys", marks(secret));
    let others: Map<String, Value> = stack.secrets.iter().map(|other| (other.name.clone(), marks(other))).collect();
    variables["contents"] = Value::Object(others);
    let engine = Engine::with_hash(|text| Ok(format!("{text}{HASHED}")));
    engine.text(&format!("stack.yaml: secret {}", secret.name), template, &variables)
}

/// Returns text for double quotes, marks as variables.
fn shell_text(text: &str) -> String {
    replace_marks(
        &escape(text),
        |name, hashed| if hashed { format!("$(hash \"${name}\")") } else { format!("${{{name}}}") },
    )
}

/// Returns the JSON of a Secret for a here-document, marks as the base64 of variables.
fn encoded(json: &str) -> String {
    replace_marks(&escape_document(json), |name, _| format!("$(encode \"${name}\")"))
}

fn replace_marks(text: &str, show: impl Fn(&str, bool) -> String) -> String {
    let mut result = String::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once(MARK.0) {
        let Some((name, after)) = behind.split_once(MARK.1) else { break };
        let hashed = after.starts_with(HASHED);
        result += before;
        result += &show(&name.replace("9QQ9", "_"), hashed);
        rest = after.strip_prefix(HASHED).unwrap_or(after);
    }
    result + rest
}

fn escape(text: &str) -> String {
    escape_document(text).replace('"', "\\\"")
}

fn escape_document(text: &str) -> String {
    text.replace('\\', "\\\\").replace('$', "\\$").replace('`', "\\`")
}

pub(super) fn single_quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

const fn character_class(alphabet: Alphabet) -> &'static str {
    match alphabet {
        Alphabet::Alphanumeric => "A-Za-z0-9",
        Alphabet::Hex => "0-9a-f",
        Alphabet::Upper => "A-Z0-9",
    }
}
