//! The types of `mlops.yaml`. The JSON schema, the checks and the editor help all come from here.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::components::{
    CertManager, Database, Logging, Mlflow, Monitoring, NetworkPolicies, ObjectStore, Serving, Workflows,
};
use crate::stack::ReleaseSpec;

/// The version of the file format that this binary writes.
pub const API_VERSION: &str = "mlopsctl.dev/v1alpha1";

const NAME: &str = r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$";
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
    /// DNS domain of the UIs (mlflow.DOMAIN and so on). Empty: no ingress, use `kubectl port-forward`.
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
    /// Names of releases that take fields from other field managers (helm 4). Off, a conflict is an error that names the manager.
    #[serde(default)]
    pub force_conflicts: Vec<String>,
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
