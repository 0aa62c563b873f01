//! What a schema cannot say: fields that need each other.

use super::components::{DatabaseProvider, ObjectStoreProvider};
use super::diagnostic::Diagnostic;
use super::load::LoadedConfig;
use super::schema::TlsMode;

/// Returns all such problems.
pub(super) fn check(loaded: &LoadedConfig) -> Vec<Diagnostic> {
    let config = &loaded.config;
    let mut problems = Vec::new();
    let mut require = |ok: bool, path: &[&str], message: &str, help: &str| {
        if !ok {
            problems.push(loaded.problem_at(path, message).help(help));
        }
    };

    let names = &config.namespaces;
    require(
        names.system != names.dev && names.system != names.prod && names.dev != names.prod,
        &["namespaces"],
        "two namespaces have the same name",
        "system, dev and prod must differ",
    );

    let tls = &config.ingress.tls;
    let mode = &["ingress", "tls", "mode"];
    match tls.mode {
        TlsMode::None => {}
        TlsMode::Existing => {
            require(
                tls.secret_name.is_some(),
                mode,
                "`existing` needs `ingress.tls.secretName`",
                "name a Secret with tls.crt and tls.key",
            );
        }
        TlsMode::SelfSigned | TlsMode::Acme => {
            require(
                config.cert_manager.enabled,
                mode,
                "this mode needs cert-manager",
                "set `certManager.enabled: true`",
            );
        }
    }
    if tls.mode == TlsMode::Acme {
        require(tls.email.is_some(), mode, "`acme` needs `ingress.tls.email`", "give the address for expiry mails");
    }
    require(
        tls.mode == TlsMode::None || !config.domain.is_empty(),
        mode,
        "TLS needs a `domain`",
        "set `domain`, or `mode: none`",
    );
    require(
        !config.ingress.basic_auth.enabled || !config.domain.is_empty(),
        &["ingress", "basicAuth", "enabled"],
        "basic auth needs a `domain`",
        "without one there is no ingress to protect",
    );
    require(
        config.object_store.provider != ObjectStoreProvider::External
            || config.object_store.external.endpoint.is_some(),
        &["objectStore", "provider"],
        "`external` needs `objectStore.external.endpoint`",
        "give the store's URL",
    );
    require(
        config.database.provider != DatabaseProvider::External || config.database.external.host.is_some(),
        &["database", "provider"],
        "`external` needs `database.external.host`",
        "give the server's host name",
    );
    require(
        !config.serving.enabled || config.mlflow.enabled,
        &["serving", "enabled"],
        "serving needs MLflow, whose registry holds the models",
        "set `mlflow.enabled: true`",
    );
    problems
}
