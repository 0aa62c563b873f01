//! `mlops.yaml`: its types, how it is read, and what is wrong with it.

mod check;
mod diagnostic;
mod load;
mod node;
mod schema;
mod semantic;

pub use check::check;
pub(crate) use check::suggestion;
pub use diagnostic::{Diagnostic, Diagnostics};
pub use load::{ConfigError, LoadedConfig, load, parse, parse_catalog_yaml};
pub use node::{Node, SpannedNode};
pub use schema::{
    API_VERSION, BasicAuth, CertManager, Cluster, Config, CredentialSource, Credentials, Database, DatabaseProvider,
    ExternalDatabase, ExternalObjectStore, Images, Ingress, Logging, Mlflow, Monitoring, Namespaces, NetworkPolicies,
    ObjectStore, ObjectStoreProvider, Profile, Serving, SslMode, Tls, TlsMode, Workflows, json_schema,
};

/// The name of the config file where no other is given.
pub const DEFAULT_FILE: &str = "mlops.yaml";
