//! HTTP services of the stack, reached through the API server's proxy: no open port, no DNS name, and the rights of the
//! kubeconfig decide (`services/proxy`).

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use crate::exec::{ExecError, Runner};
use crate::kubectl;

/// Characters that stand for themselves in a query (RFC 3986, unreserved).
const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A port of a Service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The port's number.
    pub port: u16,
}

/// Why a service gave no answer that can be used.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The call failed; the API server or the service refused.
    #[error("{service} did not answer {what}")]
    Call {
        /// The service.
        service: String,
        /// What was asked for.
        what: String,
        /// What kubectl says.
        source: ExecError,
    },
    /// The answer is not what it should be.
    #[error("{service} answered {what} with something else than {expected}: {answer}")]
    Answer {
        /// The service.
        service: String,
        /// What was asked for.
        what: String,
        /// What was expected.
        expected: &'static str,
        /// The beginning of the answer.
        answer: String,
    },
}

impl ServiceError {
    /// Says whether the service itself knows no such thing (HTTP 404). Where the Service is missing, the API server answers
    /// with 404 as well, but names it.
    pub fn is_not_found(&self) -> bool {
        let proxied = "(NotFound): the server could not find the requested resource";
        matches!(self, Self::Call { source, .. } if source.stderr().contains(proxied))
    }
}

impl std::fmt::Display for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}:{}", self.name, self.namespace, self.port)
    }
}

impl Service {
    /// Returns the path below the API server that leads to `path` of the service; `path` begins with `/`.
    pub fn path(&self, path: &str, query: &[(&str, &str)]) -> String {
        let Self { namespace, name, port } = self;
        let mut text = format!("/api/v1/namespaces/{namespace}/services/{name}:{port}/proxy{path}");
        for (index, (key, value)) in query.iter().enumerate() {
            text.push(if index == 0 { '?' } else { '&' });
            text.extend(utf8_percent_encode(key, QUERY));
            text.push('=');
            text.extend(utf8_percent_encode(value, QUERY));
        }
        text
    }

    /// Gets a path and returns the body as it is.
    pub async fn text(&self, runner: &Runner, path: &str, query: &[(&str, &str)]) -> Result<String, ServiceError> {
        let answer = runner.run(kubectl::raw_get(&self.path(path, query))).await;
        Ok(answer.map_err(|source| self.failed("GET", path, source))?.stdout)
    }

    /// Gets a path that answers with JSON.
    pub async fn get(&self, runner: &Runner, path: &str, query: &[(&str, &str)]) -> Result<Value, ServiceError> {
        let text = self.text(runner, path, query).await?;
        self.json("GET", path, &text)
    }

    /// Posts a document to a path that answers with JSON.
    pub async fn post(&self, runner: &Runner, path: &str, body: &Value) -> Result<Value, ServiceError> {
        let answer = runner.run(kubectl::raw_post(&self.path(path, &[]), body)).await;
        self.json("POST", path, &answer.map_err(|source| self.failed("POST", path, source))?.stdout)
    }

    /// Deletes at a path, with a document that says what.
    pub async fn delete(&self, runner: &Runner, path: &str, body: &Value) -> Result<(), ServiceError> {
        let answer = runner.run(kubectl::raw_delete(&self.path(path, &[]), body)).await;
        answer.map(|_| ()).map_err(|source| self.failed("DELETE", path, source))
    }

    fn failed(&self, method: &str, path: &str, source: ExecError) -> ServiceError {
        ServiceError::Call { service: self.to_string(), what: format!("{method} {path}"), source }
    }

    fn json(&self, method: &str, path: &str, text: &str) -> Result<Value, ServiceError> {
        serde_json::from_str(text).map_err(|_| ServiceError::Answer {
            service: self.to_string(),
            what: format!("{method} {path}"),
            expected: "JSON",
            answer: text.chars().take(200).collect(),
        })
    }
}
