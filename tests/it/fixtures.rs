//! The stack of this project, resolved for one config or for many.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::LazyLock;

use mlopsctl::config::{Config, parse, parse_catalog_yaml};
use mlopsctl::stack::{Stack, StackFile, StackSource, resolve};

use crate::harness::HEAD;

/// Configs that between them switch everything on and off, each with a name.
pub(crate) const CONFIGS: &[(&str, &str)] = &[
    ("defaults", ""),
    ("edge", "profile: edge\n"),
    ("ha", "profile: ha\n"),
    ("domain", "domain: ml.example.com\n"),
    (
        "self-signed",
        "domain: a.b\ningress: {className: traefik, tls: {mode: selfSigned}}\ncertManager: {enabled: true}\n",
    ),
    ("acme", "domain: a.b\ningress: {tls: {mode: acme, email: x@a.b}}\ncertManager: {enabled: true}\n"),
    ("existing certificate", "domain: a.b\ningress: {tls: {mode: existing, secretName: cert}}\n"),
    ("basic auth without certificate", "domain: a.b\ningress: {basicAuth: {enabled: true}, annotations: {a.b/c: d}}\n"),
    ("everything on", ON),
    ("everything on, ha", ON_HA),
    (
        "everything off",
        "mlflow: {enabled: false}\nworkflows: {enabled: false}\nmonitoring: {enabled: false}\nlogging: {enabled: false}\n",
    ),
    ("monitoring off", "monitoring: {enabled: false}\nserving: {enabled: true}\nworkflows: {archive: true}\n"),
    (
        "external providers",
        "objectStore: {provider: external, external: {endpoint: 'https://s3.example.com', region: eu-central-1}}
database: {provider: external, external: {host: db.example.com, port: 6432, sslMode: verify-full}}
workflows: {archive: true}
serving: {enabled: true}
",
    ),
    (
        "external providers, ha",
        "profile: ha\nobjectStore: {provider: external, external: {endpoint: 'http://10.0.0.1:9000'}}\ndatabase: {provider: external, external: {host: db}}\n",
    ),
    ("seaweedfs on a laptop", "objectStore: {provider: seaweedfs}\nserving: {enabled: true}\n"),
    ("cloudnativePg on a laptop", "database: {provider: cloudnativePg}\nworkflows: {archive: true}\n"),
    ("minio under ha", "profile: ha\nobjectStore: {provider: minio}\ndatabase: {provider: postgresql}\n"),
    ("existing credentials", "credentials: {source: existing}\n"),
];

const ON: &str = "domain: a.b
cluster: {storageClass: fast, imageRegistry: mirror.local:5000, imagePullSecrets: [one, two], clusterDomain: k8s.local}
namespaces: {system: sys, dev: dev, prod: prod}
ingress: {className: nginx, tls: {mode: acme, email: x@a.b}, basicAuth: {enabled: true}, annotations: {x/y: 'true'}}
images: {mlflow: 'r.io/mlflow:1', pipelines: 'r.io/pipelines:2', serving: 'r.io/serving:3'}
workflows: {archive: true}
monitoring: {alertmanager: true, retention: 30d, size: 20Gi}
serving: {enabled: true, replicas: 3}
certManager: {enabled: true}
networkPolicies: {enabled: true}
";

const ON_HA: &str = "profile: ha
domain: a.b
cluster: {storageClass: fast, imageRegistry: mirror.local:5000, imagePullSecrets: [one]}
ingress: {tls: {mode: selfSigned}, basicAuth: {enabled: true}}
workflows: {archive: true}
serving: {enabled: true}
certManager: {enabled: true}
networkPolicies: {enabled: true}
";

pub(crate) fn catalog() -> &'static StackFile {
    static CATALOG: LazyLock<StackFile> = LazyLock::new(|| {
        let text = StackSource::Embedded.read("stack.yaml").unwrap();
        parse_catalog_yaml(Path::new("stack.yaml"), &text).unwrap()
    });
    &CATALOG
}

pub(crate) fn config(text: &str) -> Config {
    let loaded = parse(Path::new("mlops.yaml"), format!("{HEAD}{text}"), &catalog().profiles);
    loaded.unwrap_or_else(|error| panic!("{error}")).config
}

pub(crate) fn stack(text: &str) -> Stack {
    let stack = resolve(&config(text), catalog(), &StackSource::Embedded, &BTreeMap::new());
    stack.unwrap_or_else(|error| panic!("{error}"))
}

/// The stacks of [`CONFIGS`], each with its name.
pub(crate) fn stacks() -> &'static [(&'static str, Stack)] {
    static STACKS: LazyLock<Vec<(&str, Stack)>> =
        LazyLock::new(|| CONFIGS.iter().map(|(name, text)| (*name, stack(text))).collect());
    &STACKS
}

/// Names of the releases, in order.
pub(crate) fn names(stack: &Stack) -> Vec<&str> {
    stack.releases.iter().map(|release| release.name.as_str()).collect()
}
