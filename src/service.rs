//! HTTP services of the stack, reached by `kubectl port-forward`: no ingress, no DNS name, and the rights of the kubeconfig
//! decide. The API server's own proxy would need no local port, but kubectl sends bodies in chunks there, which MLflow does
//! not read, and keeps the bodies of errors to itself.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::exec::{ExecError, Forward, Runner};
use crate::kubectl;

/// How long one answer may take.
const LIMIT: Duration = Duration::from_mins(1);

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
    /// There is no way to it.
    #[error("{service} cannot be reached")]
    Unreachable {
        /// The service.
        service: String,
        /// What kubectl says.
        source: ExecError,
    },
    /// The way was open, but no answer came.
    #[error("{service} did not answer {what}: {message}")]
    NoAnswer {
        /// The service.
        service: String,
        /// What was asked for.
        what: String,
        /// What the client says.
        message: String,
    },
    /// The service refused.
    #[error("{service} answered {what} with HTTP {status}: {message}")]
    Refused {
        /// The service.
        service: String,
        /// What was asked for.
        what: String,
        /// HTTP's status.
        status: u16,
        /// What the service says.
        message: String,
    },
    /// The answer is not what it should be.
    #[error("{service} answered {what} with something else than JSON: {answer}")]
    NotJson {
        /// The service.
        service: String,
        /// What was asked for.
        what: String,
        /// The beginning of the answer.
        answer: String,
    },
}

impl ServiceError {
    /// Says whether the service knows no such thing.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Refused { status: 404, .. })
    }
}

impl std::fmt::Display for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}:{}", self.name, self.namespace, self.port)
    }
}

impl Service {
    /// Opens a way to it.
    pub async fn connect(&self, runner: &Runner) -> Result<Client, ServiceError> {
        let call = kubectl::port_forward(&self.namespace, &self.name, self.port);
        let forward = runner
            .forward(call)
            .await
            .map_err(|source| ServiceError::Unreachable { service: self.to_string(), source })?;
        Ok(Client { inner: Arc::new(Inner { service: self.to_string(), forward, agent: agent() }) })
    }
}

/// Returns what asks. Each request has a connection of its own: that a server closes one which nobody uses would be seen only
/// when the next request is lost on it.
fn agent() -> ureq::Agent {
    let config = ureq::Agent::config_builder().max_idle_connections(0);
    config.http_status_as_error(false).timeout_global(Some(LIMIT)).proxy(None).build().into()
}

/// A client of one service. Clones share the way to it, which is closed with the last of them.
#[derive(Debug, Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    service: String,
    forward: Forward,
    agent: ureq::Agent,
}

/// Bodies go with GET as queries, with the others as JSON.
#[derive(Debug, Clone)]
enum Request {
    Get(Vec<(String, String)>),
    Post(Value),
    Delete(Value),
}

impl Request {
    const fn method(&self) -> &'static str {
        match self {
            Self::Get(_) => "GET",
            Self::Post(_) => "POST",
            Self::Delete(_) => "DELETE",
        }
    }
}

impl Client {
    /// Gets a path that answers with JSON.
    pub async fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Value, ServiceError> {
        let query = query.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        self.ask(path, Request::Get(query)).await
    }

    /// Posts a document to a path that answers with JSON.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Value, ServiceError> {
        self.ask(path, Request::Post(body.clone())).await
    }

    /// Deletes at a path, with a document that says what.
    pub async fn delete(&self, path: &str, body: &Value) -> Result<Value, ServiceError> {
        self.ask(path, Request::Delete(body.clone())).await
    }

    async fn ask(&self, path: &str, request: Request) -> Result<Value, ServiceError> {
        let (inner, path) = (Arc::clone(&self.inner), path.to_owned());
        let what = format!("{} {path}", request.method());
        let service = inner.service.clone();
        let asked = tokio::task::spawn_blocking(move || inner.ask(&path, &request)).await;
        asked.unwrap_or_else(|join| Err(ServiceError::NoAnswer { service, what, message: join.to_string() }))
    }
}

impl Inner {
    fn ask(&self, path: &str, request: &Request) -> Result<Value, ServiceError> {
        let what = format!("{} {path}", request.method());
        let service = self.service.clone();
        let (status, text) = self.send(path, request).map_err(|error| ServiceError::NoAnswer {
            service: service.clone(),
            what: what.clone(),
            message: error.to_string(),
        })?;
        if !(200..300).contains(&status) {
            return Err(ServiceError::Refused { service, what, status, message: message(&text) });
        }
        serde_json::from_str(&text).map_err(|_| ServiceError::NotJson { service, what, answer: beginning(&text) })
    }

    fn send(&self, path: &str, request: &Request) -> Result<(u16, String), ureq::Error> {
        let url = format!("http://{}{path}", self.forward.address());
        let json = "application/json";
        let mut response = match request {
            Request::Get(query) => self.agent.get(&url).query_pairs(query.iter().map(|(k, v)| (k, v))).call(),
            Request::Post(body) => self.agent.post(&url).content_type(json).send(body.to_string()),
            Request::Delete(body) => {
                self.agent.delete(&url).force_send_body().content_type(json).send(body.to_string())
            }
        }?;
        Ok((response.status().as_u16(), response.body_mut().read_to_string()?))
    }
}

/// Returns what a service says of its refusal, in the forms of MLflow, the model server and Prometheus.
fn message(text: &str) -> String {
    let body: Value = serde_json::from_str(text).unwrap_or_default();
    let found = [&body["message"], &body["error"]["message"], &body["error"], &body["detail"]];
    found.into_iter().find_map(Value::as_str).map_or_else(|| beginning(text), beginning)
}

fn beginning(text: &str) -> String {
    const CHARACTERS: usize = 300;
    match text.char_indices().nth(CHARACTERS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.trim().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;
    use std::thread;

    use super::{agent, message};

    /// The server answers one request on each connection, and keeps it open.
    #[test]
    fn each_request_has_a_connection_of_its_own() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            let mut kept = Vec::new();
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                _ = stream.read(&mut [0; 1024]).unwrap();
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").unwrap();
                // Open, but nobody reads from it any more.
                kept.push(stream);
            }
        });
        let agent = agent();
        for _ in 0..3 {
            let limit = std::time::Duration::from_secs(5);
            let request = agent.delete(format!("http://{address}/")).config().timeout_global(Some(limit)).build();
            assert_eq!(request.call().unwrap().body_mut().read_to_string().unwrap(), "{}");
        }
    }

    #[test]
    fn a_refusal_is_told_in_the_services_own_words() {
        assert_eq!(
            message(r#"{"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no such model"}"#),
            "no such model"
        );
        assert_eq!(
            message(r#"{"error": {"kind": "schema", "message": "row 0: a is missing"}}"#),
            "row 0: a is missing"
        );
        assert_eq!(message(r#"{"status": "error", "error": "parse error"}"#), "parse error");
        assert_eq!(message("Invalid Host header\n"), "Invalid Host header");
        assert_eq!(message(&"x".repeat(400)).chars().count(), 301);
    }
}
