//! The part of `mlops.yaml` that is about single components.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

const DURATION: &str = r"^[0-9]+(s|m|h|d|w|y)$";
const QUANTITY: &str = r"^[0-9]+(\.[0-9]+)?(Ki|Mi|Gi|Ti|Pi|k|M|G|T|P)?$";

/// The S3 store.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ObjectStore {
    /// Who stores.
    pub provider: ObjectStoreProvider,
    /// Size of the volume.
    #[schemars(regex(pattern = QUANTITY))]
    pub size: String,
    /// With `external`: where the store is.
    pub external: ExternalObjectStore,
}

impl Default for ObjectStore {
    fn default() -> Self {
        Self { provider: ObjectStoreProvider::default(), size: "10Gi".into(), external: ExternalObjectStore::default() }
    }
}

/// S3 stores.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ObjectStoreProvider {
    /// MinIO's maintained fork Silo, one pod.
    #[default]
    Minio,
    /// SeaweedFS, all in one pod.
    Seaweedfs,
    /// A store that exists. Buckets and the Secrets `mlflow-s3`, `argo-s3` and `loki-s3` must exist.
    External,
}

/// Where an external S3 store is.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ExternalObjectStore {
    /// The URL, such as `https://s3.example.com`.
    #[schemars(regex(pattern = r"^https?://[^/\s]+/?$"))]
    pub endpoint: Option<String>,
    /// The region.
    pub region: String,
}

impl Default for ExternalObjectStore {
    fn default() -> Self {
        Self { endpoint: None, region: "us-east-1".into() }
    }
}

/// The PostgreSQL database.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Database {
    /// Who runs the database.
    pub provider: DatabaseProvider,
    /// Size of the volume.
    #[schemars(regex(pattern = QUANTITY))]
    pub size: String,
    /// Number of servers, with `cloudnativePg`.
    #[schemars(range(min = 1, max = 9))]
    pub instances: u8,
    /// With `external`: where the server is.
    pub external: ExternalDatabase,
}

impl Default for Database {
    fn default() -> Self {
        Self {
            provider: DatabaseProvider::default(),
            size: "5Gi".into(),
            instances: 1,
            external: ExternalDatabase::default(),
        }
    }
}

/// PostgreSQL servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum DatabaseProvider {
    /// The official image, one pod.
    #[default]
    Postgresql,
    /// The CloudNativePG operator.
    CloudnativePg,
    /// A server that exists. Databases and the Secrets `mlflow-db` (and `argo-db`) must exist.
    External,
}

/// Where an external PostgreSQL server is.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ExternalDatabase {
    /// The host name.
    pub host: Option<String>,
    /// The port.
    #[schemars(range(min = 1, max = 65535))]
    pub port: u16,
    /// How the connection is encrypted.
    pub ssl_mode: SslMode,
}

impl Default for ExternalDatabase {
    fn default() -> Self {
        Self { host: None, port: 5432, ssl_mode: SslMode::default() }
    }
}

/// libpq's `sslmode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SslMode {
    /// Never encrypted.
    Disable,
    /// Encrypted if the server can.
    #[default]
    Prefer,
    /// Encrypted, certificate not checked.
    Require,
    /// Encrypted, certificate and name checked.
    VerifyFull,
}

/// Experiment tracking and model registry.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Mlflow {
    /// Installs it.
    pub enabled: bool,
    /// Number of server processes.
    #[schemars(range(min = 1, max = 32))]
    pub workers: u8,
}

impl Default for Mlflow {
    fn default() -> Self {
        Self { enabled: true, workers: 1 }
    }
}

/// Argo Workflows.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Workflows {
    /// Installs it.
    pub enabled: bool,
    /// Keeps finished workflows in PostgreSQL.
    pub archive: bool,
}

impl Default for Workflows {
    fn default() -> Self {
        Self { enabled: true, archive: false }
    }
}

/// Prometheus and Grafana.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Monitoring {
    /// Installs it; without it no ServiceMonitor is made.
    pub enabled: bool,
    /// How long metrics are kept.
    #[schemars(regex(pattern = DURATION))]
    pub retention: String,
    /// Size of Prometheus' volume.
    #[schemars(regex(pattern = QUANTITY))]
    pub size: String,
    /// Installs Alertmanager too.
    pub alertmanager: bool,
}

impl Default for Monitoring {
    fn default() -> Self {
        Self { enabled: true, retention: "7d".into(), size: "5Gi".into(), alertmanager: false }
    }
}

/// Loki and the log agent Alloy.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Logging {
    /// Installs them.
    pub enabled: bool,
    /// How long log lines are kept.
    #[schemars(regex(pattern = r"^[0-9]+(h|d|w)$"))]
    pub retention: String,
    /// Size of Loki's volume.
    #[schemars(regex(pattern = QUANTITY))]
    pub size: String,
}

impl Default for Logging {
    fn default() -> Self {
        Self { enabled: true, retention: "7d".into(), size: "5Gi".into() }
    }
}

/// The model server.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Serving {
    /// Installs it; off until a model exists in the registry.
    pub enabled: bool,
    /// The model, as an MLflow URI.
    #[schemars(regex(pattern = r"^models:/[^/@\s]+(@[^/@\s]+|/[0-9]+)$"))]
    pub model: String,
    /// Number of pods.
    #[schemars(range(min = 1, max = 100))]
    pub replicas: u8,
}

impl Default for Serving {
    fn default() -> Self {
        Self { enabled: false, model: "models:/demo-model@champion".into(), replicas: 1 }
    }
}

/// cert-manager.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct CertManager {
    /// Installs it.
    pub enabled: bool,
}

/// NetworkPolicies of the stack's own charts.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct NetworkPolicies {
    /// Makes them.
    pub enabled: bool,
}
