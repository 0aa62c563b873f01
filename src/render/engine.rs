//! The template engine: strict, without access to files.

use std::path::{Path, PathBuf};

use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, UndefinedBehavior};
use serde_json::Value;

/// Why a template cannot be rendered. No variable's content is part of it.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// The template fails.
    #[error("{}:{line}: {message}", path.display())]
    Template {
        /// The file, or what stands for it.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What the engine says.
        message: String,
    },
    /// What came out is not YAML.
    #[error("{} does not render to YAML: line {line} of the result: {message}", path.display())]
    NotYaml {
        /// The file.
        path: PathBuf,
        /// The line of the rendered text.
        line: u64,
        /// What the parser says.
        message: String,
    },
    /// What came out is not a mapping.
    #[error("{} does not render to a mapping", path.display())]
    NotAMapping {
        /// The file.
        path: PathBuf,
    },
}

/// A template engine.
#[derive(Debug)]
pub struct Engine {
    environment: Environment<'static>,
}

impl Default for Engine {
    fn default() -> Self {
        Self::new()
    }
}

impl Engine {
    /// Returns an engine.
    pub fn new() -> Self {
        Self::with_hash(bcrypt_hash)
    }

    /// Returns an engine whose filter `bcrypt` is another function.
    pub fn with_hash(hash: impl Fn(String) -> Result<String, minijinja::Error> + Send + Sync + 'static) -> Self {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        // With debugging on, errors print the variables in scope, passwords among them.
        environment.set_debug(false);
        environment.set_syntax(block_syntax());
        environment.set_auto_escape_callback(
            |name| {
                if name.ends_with(".j2") { AutoEscape::Json } else { AutoEscape::None }
            },
        );
        environment.add_filter("bcrypt", hash);
        Self { environment }
    }

    /// Renders a values template to values. Every `{{ … }}` becomes a JSON scalar, list or mapping.
    pub fn values(&self, path: &Path, template: &str, context: &Value) -> Result<Value, RenderError> {
        let name = path.to_string_lossy();
        let text = self
            .environment
            .render_named_str(&name, template, variables(context))
            .map_err(|error| template_error(path, &error))?;
        let value: Value = super::from_yaml(&text).map_err(|error| RenderError::NotYaml {
            path: path.to_owned(),
            line: error.location().map_or(0, |location| location.line()),
            message: error.without_snippet().to_string(),
        })?;
        match value {
            Value::Null => Ok(Value::Object(serde_json::Map::new())),
            Value::Object(_) => Ok(value),
            _ => Err(RenderError::NotAMapping { path: path.to_owned() }),
        }
    }

    /// Renders a short template to text as it is; `name` stands for a file in errors.
    pub fn text(&self, name: &str, template: &str, context: &Value) -> Result<String, RenderError> {
        self.environment
            .render_named_str(name, template, variables(context))
            .map_err(|error| template_error(Path::new(name), &error))
    }

    /// Renders a template over secrets. What the engine says in detail may quote a variable and is left out.
    pub fn secret_text(&self, name: &str, template: &str, context: &Value) -> Result<String, RenderError> {
        self.environment.render_named_str(name, template, variables(context)).map_err(|error| RenderError::Template {
            path: name.into(),
            line: error.line().unwrap_or(1),
            message: error.kind().to_string(),
        })
    }

    /// Evaluates an expression; `name` stands for a file in errors.
    pub fn expression(&self, name: &str, expression: &str, context: &Value) -> Result<Value, RenderError> {
        let evaluated =
            self.environment.compile_expression(expression).and_then(|compiled| compiled.eval(variables(context)));
        let value = evaluated.map_err(|error| template_error(Path::new(name), &error))?;
        Ok(serde_json::to_value(value).unwrap_or_default())
    }
}

fn variables(context: &Value) -> minijinja::Value {
    minijinja::value::Serde(context).into()
}

/// A line that holds only a block tag leaves no line behind.
fn block_syntax() -> SyntaxConfig {
    SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build().unwrap_or_default()
}

fn template_error(path: &Path, error: &minijinja::Error) -> RenderError {
    let message = match error.detail() {
        Some(detail) => format!("{}: {detail}", error.kind()),
        None => error.kind().to_string(),
    };
    RenderError::Template { path: path.to_owned(), line: error.line().unwrap_or(1), message }
}

/// The cost that Traefik can check on every request without being felt.
const BCRYPT_COST: u32 = 10;

fn bcrypt_hash(password: String) -> Result<String, minijinja::Error> {
    bcrypt::hash(password, BCRYPT_COST)
        .map_err(|error| minijinja::Error::new(minijinja::ErrorKind::InvalidOperation, error.to_string()))
}
