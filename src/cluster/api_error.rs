//! Why the API server cannot be used, read from kubectl's and helm's words.

use crate::exec::ExecError;

/// A reason that has its own advice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApiFault {
    /// There is no kubeconfig.
    NoKubeconfig,
    /// The kubeconfig is not readable as one.
    BadKubeconfig,
    /// The kubeconfig has no such context.
    UnknownContext,
    /// Nobody answers.
    Unreachable,
    /// The certificate is not trusted.
    Certificate,
    /// The server does not know who we are.
    Unauthorized,
    /// The server does not allow it.
    Forbidden,
}

/// Texts as kubectl 1.34 to 1.37 and helm 3 and 4 write them; the first that fits wins.
const TABLE: &[(&str, ApiFault)] = &[
    ("does not exist in kubeconfig", ApiFault::UnknownContext),
    ("context was not found", ApiFault::UnknownContext),
    ("no context exists with the name", ApiFault::UnknownContext),
    ("does not exist\nerror: context", ApiFault::UnknownContext),
    ("error loading config file", ApiFault::BadKubeconfig),
    ("couldn't get version/kind", ApiFault::BadKubeconfig),
    ("invalid configuration", ApiFault::NoKubeconfig),
    ("no configuration has been provided", ApiFault::NoKubeconfig),
    ("x509:", ApiFault::Certificate),
    ("Unauthorized", ApiFault::Unauthorized),
    ("must be logged in to the server", ApiFault::Unauthorized),
    ("forbidden", ApiFault::Forbidden),
    ("connection to the server localhost:8080", ApiFault::NoKubeconfig),
    ("connect to the server", ApiFault::Unreachable),
    ("connection refused", ApiFault::Unreachable),
    ("was refused", ApiFault::Unreachable),
    ("no such host", ApiFault::Unreachable),
    ("i/o timeout", ApiFault::Unreachable),
    ("TLS handshake timeout", ApiFault::Unreachable),
    ("no route to host", ApiFault::Unreachable),
    ("unable to handle the request", ApiFault::Unreachable),
];

/// Returns what is wrong with the way to the API server; `None` if the error is of another kind.
pub fn classify(error: &ExecError) -> Option<ApiFault> {
    if let ExecError::Timeout { .. } = error {
        return Some(ApiFault::Unreachable);
    }
    let text = error.stderr();
    if text.contains("context \"") && text.contains("does not exist") {
        return Some(ApiFault::UnknownContext);
    }
    TABLE.iter().find(|(words, _)| text.contains(words)).map(|(_, fault)| *fault)
}
