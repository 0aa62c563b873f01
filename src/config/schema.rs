//! The types of `mlops.yaml`. The JSON schema, the checks and the editor help all come from here.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::stack::ReleaseSpec;

/// The version of the file format that this binary writes.
pub const API_VERSION: &str = "mlopsctl.dev/v1alpha1";

const NAME: &str = r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$";
const QUANTITY: &str = r"^[0-9]+(\.[0-9]+)?(Ki|Mi|Gi|Ti|Pi|k|M|G|T|P)?$";
const DURATION: &str = r"^[0-9]+(s|m|h|d|w|y)$";
const DOMAIN: &str = r"^([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*)?$";

/// The MLOps stack that `mlopsctl` puts on a cluster.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Config {
    /// Version of this file's format.
    pub api_version: ApiVersion,
    /// Tells this stack from others: a cluster that carries another id is left alone.
    #[serde(default = "default_stack_id")]
    #[schemars(regex(pattern = NAME))]
    pub stack_id: String,
    /// Set of defaults: one small node, one edge box, or several nodes.
    #[serde(default)]
    pub profile: Profile,
    /// DNS domain of the UIs (mlflow.DOMAIN and so on). Empty: no ingress, use `mlopsctl port-forward` or kubectl.
    #[serde(default)]
    #[schemars(regex(pattern = DOMAIN))]
    pub domain: String,
    /// The cluster and what its nodes need.
    #[serde(default)]
    pub cluster: Cluster,
    /// The three namespaces of the stack.
    #[serde(default)]
    pub namespaces: Namespaces,
    /// How the UIs are reached from outside.
    #[serde(default)]
    pub ingress: Ingress,
    /// Where passwords and keys come from.
    #[serde(default)]
    pub credentials: Credentials,
    /// Images that replace the default ones, as `registry/repository:tag`.
    #[serde(default)]
    pub images: Images,
    /// The S3 store of artifacts, models and logs.
    #[serde(default)]
    pub object_store: ObjectStore,
    /// The PostgreSQL database of MLflow and of the workflow archive.
    #[serde(default)]
    pub database: Database,
    /// Experiment tracking and model registry.
    #[serde(default)]
    pub mlflow: Mlflow,
    /// Argo Workflows.
    #[serde(default)]
    pub workflows: Workflows,
    /// Prometheus and Grafana.
    #[serde(default)]
    pub monitoring: Monitoring,
    /// Loki and the log agent Alloy.
    #[serde(default)]
    pub logging: Logging,
    /// The model server.
    #[serde(default)]
    pub serving: Serving,
    /// cert-manager.
    #[serde(default)]
    pub cert_manager: CertManager,
    /// NetworkPolicies of the stack's own charts.
    #[serde(default)]
    pub network_policies: NetworkPolicies,
    /// Raw helm values per release, merged last.
    #[serde(default)]
    pub values: Map<String, Value>,
    /// Releases of your own, in the form of `stack.yaml`.
    #[serde(default)]
    pub releases: Vec<ReleaseSpec>,
}

/// Versions of the file format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ApiVersion {
    /// The first one.
    #[serde(rename = "mlopsctl.dev/v1alpha1")]
    V1Alpha1,
}

/// Sets of defaults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// One node, one pod of each, smallest requests.
    #[default]
    Laptop,
    /// One unattended node: as `laptop`, with shorter retention and alerts on.
    Edge,
    /// Several nodes: replicated database and object store.
    Ha,
}

/// The cluster and what its nodes need.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Cluster {
    /// The kube-context; null is the current one. `init` writes it, so that a later run cannot hit another cluster.
    pub context: Option<String>,
    /// StorageClass of all volumes; null is the cluster's default.
    pub storage_class: Option<String>,
    /// Registry that replaces the registries of all images (a mirror).
    pub image_registry: Option<String>,
    /// Names of image pull Secrets that exist in the namespaces.
    pub image_pull_secrets: Vec<String>,
    /// DNS domain of the cluster's Services.
    #[schemars(regex(pattern = DOMAIN))]
    pub cluster_domain: String,
}

impl Default for Cluster {
    fn default() -> Self {
        Self {
            context: None,
            storage_class: None,
            image_registry: None,
            image_pull_secrets: Vec::new(),
            cluster_domain: "cluster.local".into(),
        }
    }
}

/// The three namespaces of the stack.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Namespaces {
    /// The platform's own components.
    #[schemars(regex(pattern = NAME))]
    pub system: String,
    /// Where pipelines run.
    #[schemars(regex(pattern = NAME))]
    pub dev: String,
    /// Where models are served.
    #[schemars(regex(pattern = NAME))]
    pub prod: String,
}

impl Default for Namespaces {
    fn default() -> Self {
        Self { system: "mlops-system".into(), dev: "mlops-dev".into(), prod: "mlops-prod".into() }
    }
}

/// How the UIs are reached from outside.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Ingress {
    /// The IngressClass; null is the cluster's default.
    pub class_name: Option<String>,
    /// Annotations of every Ingress.
    pub annotations: Map<String, Value>,
    /// Certificates.
    pub tls: Tls,
    /// A password before the UIs that have none of their own.
    pub basic_auth: BasicAuth,
}

/// Certificates of the UIs.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Tls {
    /// Where the certificate comes from.
    pub mode: TlsMode,
    /// With `existing`: the Secret with `tls.crt` and `tls.key` in the system namespace.
    pub secret_name: Option<String>,
    /// With `acme`: the address that the certificate authority writes to.
    pub email: Option<String>,
}

/// Where certificates come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum TlsMode {
    /// Plain HTTP.
    #[default]
    None,
    /// A certificate authority inside the cluster; needs `certManager.enabled`.
    SelfSigned,
    /// Let's Encrypt by HTTP-01; needs `certManager.enabled` and `email`.
    Acme,
    /// A Secret that exists; needs `secretName`.
    Existing,
}

/// A password before the UIs that have none of their own.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct BasicAuth {
    /// Puts a Traefik basic-auth Middleware before MLflow.
    pub enabled: bool,
}

/// Where passwords and keys come from.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Credentials {
    /// How a Secret that does not exist yet is made. An existing one is always kept.
    pub source: CredentialSource,
}

/// How Secrets are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum CredentialSource {
    /// At random, once, inside the cluster.
    #[default]
    Generate,
    /// Asked for on the terminal where a person will type them; the rest at random.
    Prompt,
    /// Never: every Secret must exist (made by hand, by External Secrets or by Vault).
    Existing,
}

/// Images that replace the default ones.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Images {
    /// The MLflow server, with drivers for PostgreSQL and S3.
    pub mlflow: Option<String>,
    /// Training and drift steps.
    pub pipelines: Option<String>,
    /// The model server.
    pub serving: Option<String>,
}

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

fn default_stack_id() -> String {
    "mlops".into()
}

/// Returns the JSON schema of `mlops.yaml`.
pub fn json_schema() -> Value {
    let mut schema = schemars::schema_for!(Config).to_value();
    if let Some(object) = schema.as_object_mut() {
        object.insert("title".into(), "mlops.yaml".into());
    }
    schema
}
