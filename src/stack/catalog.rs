//! The types of `stack.yaml`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

const NAME: &str = r"^[a-z0-9]([-a-z0-9]{0,51}[a-z0-9])?$";

/// The content of `stack.yaml`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StackFile {
    /// Version of this file's format.
    pub api_version: String,
    /// Defaults of `mlops.yaml` per profile.
    #[serde(default)]
    pub profiles: Map<String, Value>,
    /// Values that several templates share, as minijinja templates; a later one may use an earlier one.
    #[serde(default)]
    pub vars: Map<String, Value>,
    /// Services that `mlopsctl` itself asks.
    #[serde(default)]
    pub services: ServiceSpecs,
    /// Secrets of the stack.
    #[serde(default)]
    pub secrets: Vec<SecretSpec>,
    /// Releases of the stack.
    pub releases: Vec<ReleaseSpec>,
}

/// Services that `mlopsctl` itself asks, by what they are for. A stack may do without any.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ServiceSpecs {
    /// MLflow's tracking server and model registry.
    pub tracking: Option<ServiceSpec>,
    /// Prometheus.
    pub metrics: Option<ServiceSpec>,
    /// Loki.
    pub logs: Option<ServiceSpec>,
    /// The model server.
    pub serving: Option<ServiceSpec>,
    /// Argo Workflows.
    pub workflows: Option<ServiceSpec>,
}

/// A port of a release's Service.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ServiceSpec {
    /// The release that makes it, in whose namespace it is.
    pub release: String,
    /// Its name.
    pub name: String,
    /// The port's number.
    pub port: u16,
}

/// One helm release.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReleaseSpec {
    /// Name of the release; helm allows 53 characters.
    #[schemars(regex(pattern = NAME))]
    pub name: String,
    /// What it is, in a few words.
    #[serde(default)]
    pub title: String,
    /// The chart.
    pub chart: ChartSpec,
    /// `system`, `dev`, `prod`, or the name of another namespace.
    #[serde(default = "default_namespace")]
    #[schemars(regex(pattern = NAME))]
    pub namespace: String,
    /// File name of the values template under `helm-values/`.
    #[serde(default)]
    pub values: Option<String>,
    /// A minijinja expression that yields true or false; the release is part of the stack if true.
    #[serde(default)]
    pub when: Option<String>,
    /// Releases that come first.
    #[serde(default)]
    pub needs: Vec<NeedSpec>,
    /// Names of the Secrets that its pods read.
    #[serde(default)]
    pub secrets: Vec<String>,
    /// CustomResourceDefinitions that the chart brings.
    #[serde(default)]
    pub crds: Option<CrdSpec>,
    /// API versions that the chart looks for when it renders (`--api-versions`), present once the CRD stage is done.
    #[serde(default)]
    pub api_versions: Vec<String>,
    /// Its user interface.
    #[serde(default)]
    pub ui: Option<Ui>,
    /// Objects that must be ready beside the workloads of the manifest.
    #[serde(default)]
    pub ready: Vec<ReadySpec>,
    /// How long helm and the readiness may take, in seconds.
    #[serde(default = "default_timeout")]
    #[schemars(range(min = 10, max = 7200))]
    pub timeout_seconds: u32,
    /// Takes fields from other field managers; off, a conflict is an error that names the manager.
    #[serde(default)]
    pub force_conflicts: bool,
    /// What it brings forward when it starts and cannot take back, such as a database schema: `rollback` to other images then
    /// wants a backup named.
    #[serde(default)]
    pub migrates: Option<String>,
    /// What its volumes hold, which `down` lists before it takes anything away.
    #[serde(default)]
    pub holds: Option<HoldSpec>,
}

/// What the volumes of a release hold, and who lists it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HoldSpec {
    /// What an item is, such as `database`; its plural has an `s`.
    #[schemars(length(min = 1))]
    pub what: String,
    /// The workload or Service in one of whose pods the command runs, such as `statefulset/pg-postgresql`.
    #[serde(rename = "in")]
    #[schemars(regex(pattern = r"^[a-z.]+/[a-z0-9][-a-z0-9.]*$"))]
    pub workload: String,
    /// The container; the pod's first one if not given.
    #[serde(default)]
    pub container: Option<String>,
    /// Prints a line per item: its name, a tab, its size in bytes. It may take a few seconds and must need no Secret that the
    /// container does not have.
    #[schemars(length(min = 1))]
    pub command: Vec<String>,
}

/// Where a chart comes from.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ChartSpec {
    /// Name of the chart.
    pub name: String,
    /// Pinned version; needed with `repository`.
    #[serde(default)]
    pub version: Option<String>,
    /// `https://…` (a chart repository) or `oci://…` (the folder of the chart). None: a chart of the stack, `charts/<name>`.
    #[serde(default)]
    #[schemars(regex(pattern = r"^(https?|oci)://\S+$"))]
    pub repository: Option<String>,
    /// A chart folder or archive beside `mlops.yaml`, for releases of your own.
    #[serde(default)]
    pub path: Option<String>,
}

/// A release that comes first.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NeedSpec {
    /// Name of the release.
    pub release: String,
    /// How far it must be.
    pub until: Until,
    /// Why, in words.
    #[schemars(length(min = 1))]
    pub because: String,
    /// A minijinja expression; where false there is no such need.
    #[serde(default)]
    pub when: Option<String>,
}

/// How far a needed release must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Until {
    /// helm has created its objects.
    Applied,
    /// Its workloads are ready too.
    Ready,
}

/// How a chart brings its CustomResourceDefinitions.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CrdSpec {
    /// Values that make the chart render its CRDs from `templates/`. None: they stand in `crds/` of the chart or a sub-chart.
    #[serde(default)]
    pub render: Option<Map<String, Value>>,
    /// Values that make the chart leave its CRDs out, merged into the release's values.
    #[serde(default)]
    pub install: Option<Map<String, Value>>,
}

/// A user interface.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Ui {
    /// First label of its host name below the domain.
    #[schemars(regex(pattern = NAME))]
    pub host: String,
    /// Its Service.
    pub service: String,
    /// The Service's port.
    pub port: u16,
    /// The Secret with its user and password, if it has one.
    #[serde(default)]
    pub login: Option<String>,
}

/// An object that must be ready.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReadySpec {
    /// Its resource, such as `clusters.postgresql.cnpg.io`.
    pub resource: String,
    /// Its name.
    pub name: String,
    /// The condition that must be true.
    pub condition: String,
}

/// A Secret of the stack.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SecretSpec {
    /// Its name.
    #[schemars(regex(pattern = NAME))]
    pub name: String,
    /// What it opens, in a few words.
    pub title: String,
    /// `system`, `dev`, `prod`, or the name of another namespace.
    #[serde(default = "default_namespace")]
    pub namespace: String,
    /// Its type.
    #[serde(default = "default_secret_type", rename = "type")]
    pub secret_type: String,
    /// Its keys, in the order in which they are made.
    pub keys: Map<String, Value>,
    /// A minijinja expression; where false there is no such Secret.
    #[serde(default)]
    pub when: Option<String>,
    /// A minijinja expression; where true the Secret is never made but must exist.
    #[serde(default)]
    pub existing_when: Option<String>,
    /// Namespaces that get a copy.
    #[serde(default)]
    pub copies: Vec<String>,
}

/// How the value of a key is made; exactly one of `value`, `random` and `derive`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KeyRule {
    /// A fixed value, such as a user name.
    #[serde(default)]
    pub value: Option<String>,
    /// Random text.
    #[serde(default)]
    pub random: Option<RandomRule>,
    /// A minijinja template over `keys` (this Secret's), `secrets` (those before it) and the variables of the stack.
    #[serde(default)]
    pub derive: Option<String>,
    /// With `random`: what to ask for where credentials are typed in.
    #[serde(default)]
    pub prompt: Option<String>,
}

/// Rules of random text, which a typed-in value must keep too.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RandomRule {
    /// Number of characters.
    #[schemars(range(min = 8, max = 128))]
    pub length: usize,
    /// The shortest text that the product takes.
    #[serde(default = "default_minimum")]
    pub minimum: usize,
    /// Which characters.
    #[serde(default)]
    pub alphabet: Alphabet,
}

/// Sets of characters. None needs quoting in a URI, a shell or an INI file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Alphabet {
    /// A-Z, a-z, 0-9.
    #[default]
    Alphanumeric,
    /// 0-9, a-f.
    Hex,
    /// A-Z, 0-9, as in S3 access keys.
    Upper,
}

impl Alphabet {
    /// Returns the characters.
    pub const fn characters(self) -> &'static str {
        match self {
            Self::Alphanumeric => "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
            Self::Hex => "0123456789abcdef",
            Self::Upper => "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789",
        }
    }
}

fn default_namespace() -> String {
    "system".into()
}

fn default_timeout() -> u32 {
    600
}

fn default_secret_type() -> String {
    "Opaque".into()
}

fn default_minimum() -> usize {
    8
}
