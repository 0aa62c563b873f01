//! `mlops.yaml`: its types, how it is read, and what is wrong with it.

mod check;
mod components;
mod diagnostic;
mod load;
mod node;
mod schema;
mod semantic;

pub use check::check;
pub(crate) use check::suggestion;
pub use components::{
    CertManager, Database, DatabaseProvider, ExternalDatabase, ExternalObjectStore, Logging, Mlflow, Monitoring,
    NetworkPolicies, ObjectStore, ObjectStoreProvider, Serving, SslMode, Workflows,
};
pub use diagnostic::{Diagnostic, Diagnostics};
pub use load::{ConfigError, LoadedConfig, load, parse, parse_catalog_yaml};
pub use node::{Node, SpannedNode};
pub use schema::{
    API_VERSION, ApiVersion, BasicAuth, Cluster, Config, CredentialSource, Credentials, Images, Ingress, Namespaces,
    Profile, Tls, TlsMode, json_schema,
};

/// The name of the config file where no other is given.
pub const DEFAULT_FILE: &str = "mlops.yaml";
