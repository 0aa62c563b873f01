//! From the catalog and a config to the releases of this stack.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::catalog::{ChartSpec, CrdSpec, KeyRule, ReadySpec, ReleaseSpec, SecretSpec, StackFile, Ui, Until};
use super::context::{Context, namespace_name};
use super::graph::{Graph, sorted};
use super::source::{SourceError, StackSource};
use crate::config::Config;
use crate::render::{Engine, RenderError, merge};

/// A stack for one config: everything that the plan needs, nothing that the cluster says.
#[derive(Debug, Clone)]
pub struct Stack {
    /// Tells this stack from others.
    pub id: String,
    /// The releases, each behind those that it needs.
    pub releases: Vec<Release>,
    /// The Secrets that some release reads, in the order in which they are made.
    pub secrets: Vec<Secret>,
    /// The namespaces, system, dev and prod first.
    pub namespaces: Vec<Namespace>,
    /// The variables that templates of Secrets see.
    pub context: Context,
}

/// A namespace of the stack.
#[derive(Debug, Clone)]
pub struct Namespace {
    /// Its name.
    pub name: String,
    /// The Pod Security level that it enforces.
    pub pod_security: &'static str,
}

/// A release with its values.
#[derive(Debug, Clone)]
pub struct Release {
    /// Its name.
    pub name: String,
    /// What it is.
    pub title: String,
    /// Its namespace's real name.
    pub namespace: String,
    /// Its chart.
    pub chart: ChartRef,
    /// Its values, the user's merged in.
    pub values: Value,
    /// Enabled releases that come first.
    pub needs: Vec<Need>,
    /// Secrets that its pods read.
    pub secrets: Vec<String>,
    /// The chart's CustomResourceDefinitions.
    pub crds: Option<CrdSpec>,
    /// API versions to render with.
    pub api_versions: Vec<String>,
    /// Its user interface.
    pub ui: Option<Ui>,
    /// Objects that must be ready beside its workloads.
    pub ready: Vec<ReadySpec>,
    /// How long it may take, in seconds.
    pub timeout_seconds: u32,
    /// Takes fields from other field managers.
    pub force_conflicts: bool,
    /// What it brings forward when it starts and cannot take back.
    pub migrates: Option<String>,
}

/// A chart, not yet fetched.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChartRef {
    /// A chart of the stack itself.
    Stack {
        /// Its folder below `charts/`.
        name: String,
    },
    /// A chart beside the config file.
    Path {
        /// The folder or archive.
        path: String,
    },
    /// A chart of a repository or registry.
    Upstream {
        /// `https://…` or `oci://…`.
        repository: String,
        /// Its name.
        name: String,
        /// Its pinned version.
        version: String,
    },
}

impl std::fmt::Display for ChartRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Stack { name } => write!(f, "{name}"),
            Self::Path { path } => f.write_str(path),
            Self::Upstream { name, version, .. } => write!(f, "{name} {version}"),
        }
    }
}

/// An edge of the graph of releases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// The release that comes first.
    pub release: String,
    /// How far it must be.
    pub until: Until,
    /// Why.
    pub because: String,
}

/// A Secret with its real namespaces.
#[derive(Debug, Clone)]
pub struct Secret {
    /// Its name.
    pub name: String,
    /// What it opens.
    pub title: String,
    /// Its namespace.
    pub namespace: String,
    /// Its type.
    pub secret_type: String,
    /// The rule of each key.
    pub keys: Vec<(String, KeyRule)>,
    /// It is never made but must exist.
    pub must_exist: bool,
    /// Namespaces that get a copy.
    pub copies: Vec<String>,
}

/// Why a stack cannot be resolved.
#[derive(Debug, thiserror::Error)]
pub enum StackError {
    /// Two releases have one name.
    #[error("release `{release}` is defined twice")]
    Duplicate {
        /// The name.
        release: String,
    },
    /// A release needs one that nobody knows.
    #[error("release `{release}` needs `{need}`, which does not exist")]
    UnknownNeed {
        /// The release.
        release: String,
        /// What it needs.
        need: String,
    },
    /// Releases need each other.
    #[error("releases need each other: {}", cycle.join(" → "))]
    Cycle {
        /// The names, the first one again at the end.
        cycle: Vec<String>,
    },
    /// A `when` is not true or false.
    #[error("`when` of `{name}` yields {found}, not true or false")]
    NotBoolean {
        /// The release or Secret.
        name: String,
        /// What it yields.
        found: String,
    },
    /// A `when` cannot be evaluated.
    #[error("`when` of `{name}` fails: {message}")]
    Condition {
        /// The release or Secret.
        name: String,
        /// What the engine says.
        message: String,
    },
    /// A release names a Secret that nobody knows.
    #[error("release `{release}` reads the Secret `{secret}`, which does not exist")]
    UnknownSecret {
        /// The release.
        release: String,
        /// The Secret.
        secret: String,
    },
    /// A chart with a repository has no version.
    #[error("the chart of release `{release}` has a repository but no version")]
    Unpinned {
        /// The release.
        release: String,
    },
    /// A rule of a Secret's key is not one of the three kinds.
    #[error("key `{key}` of Secret `{secret}` must have exactly one of `value`, `random` and `derive`")]
    KeyRule {
        /// The Secret.
        secret: String,
        /// The key.
        key: String,
    },
    /// A part of the config names a release that nobody knows.
    #[error("`{part}` names the release `{release}`, which does not exist")]
    UnknownRelease {
        /// The part, a key of the file.
        part: &'static str,
        /// The key of the place below it, or its index.
        place: String,
        /// The name.
        release: String,
        /// What may have been meant.
        suggestion: Option<String>,
    },
    /// A template fails.
    #[error(transparent)]
    Render(#[from] RenderError),
    /// A file of the stack cannot be read.
    #[error(transparent)]
    Source(#[from] SourceError),
}

/// Resolves the catalog for a config. `generations` holds the generation id of each Secret.
pub fn resolve(
    config: &Config,
    catalog: &StackFile,
    source: &StackSource,
    generations: &BTreeMap<String, String>,
) -> Result<Stack, StackError> {
    let engine = Engine::new();
    let specs = all_specs(config, catalog)?;
    let before = Context::of_config(config).value();
    let mut enabled = BTreeMap::new();
    for spec in &specs {
        let on = spec.when.as_deref().map_or(Ok(true), |when| condition(&engine, &spec.name, when, &before))?;
        enabled.insert(spec.name.clone(), on);
    }
    let context = Context::build(&engine, config, catalog, generations, &enabled)?;
    let graph = Graph::new(&engine, &before, &specs, &enabled)?;
    let order = sorted(&specs)?;
    let mut releases = Vec::new();
    for spec in order.into_iter().filter(|spec| enabled[&spec.name]) {
        releases.push(release(config, &engine, source, &context, spec, graph.needs(&spec.name))?);
    }
    let secrets = secrets(config, catalog, &engine, &before, &mut releases)?;
    let namespaces = namespaces(config, &releases);
    Ok(Stack { id: config.stack_id.clone(), releases, secrets, namespaces, context })
}

fn all_specs<'a>(config: &'a Config, catalog: &'a StackFile) -> Result<Vec<&'a ReleaseSpec>, StackError> {
    let specs: Vec<&ReleaseSpec> = catalog.releases.iter().chain(&config.releases).collect();
    let mut names = BTreeSet::new();
    for spec in &specs {
        if !names.insert(spec.name.as_str()) {
            return Err(StackError::Duplicate { release: spec.name.clone() });
        }
    }
    for spec in &specs {
        if let Some(need) = spec.needs.iter().find(|need| !names.contains(need.release.as_str())) {
            return Err(StackError::UnknownNeed { release: spec.name.clone(), need: need.release.clone() });
        }
    }
    let values = config.values.keys().map(|name| ("values", name.clone(), name));
    let forced = config.force_conflicts.iter().enumerate();
    let forced = forced.map(|(index, name)| ("forceConflicts", index.to_string(), name));
    if let Some((part, place, release)) = values.chain(forced).find(|(_, _, name)| !names.contains(name.as_str())) {
        let suggestion = crate::config::suggestion(release, names.iter().copied()).map(str::to_owned);
        return Err(StackError::UnknownRelease { part, place, release: release.clone(), suggestion });
    }
    Ok(specs)
}

pub(super) fn condition(engine: &Engine, name: &str, expression: &str, context: &Value) -> Result<bool, StackError> {
    let value = engine.expression("when", expression, context).map_err(|error| match error {
        RenderError::Template { message, .. } => StackError::Condition { name: name.to_owned(), message },
        other => other.into(),
    })?;
    value.as_bool().ok_or_else(|| StackError::NotBoolean { name: name.to_owned(), found: value.to_string() })
}

fn release(
    config: &Config,
    engine: &Engine,
    source: &StackSource,
    context: &Context,
    spec: &ReleaseSpec,
    needs: Vec<Need>,
) -> Result<Release, StackError> {
    let namespace = namespace_name(config, &spec.namespace);
    let mut values = match &spec.values {
        Some(file) => {
            let path = format!("helm-values/{file}");
            let text = source.read(&path)?;
            let variables = context.with("release", json!({"name": spec.name, "namespace": namespace}));
            engine.values(&source.display_path(&path), &text, &variables)?
        }
        None => Value::Object(Map::new()),
    };
    if let Some(install) = spec.crds.as_ref().and_then(|crds| crds.install.clone()) {
        merge(&mut values, Value::Object(install));
    }
    if let Some(own) = config.values.get(&spec.name) {
        merge(&mut values, own.clone());
    }
    Ok(Release {
        name: spec.name.clone(),
        title: if spec.title.is_empty() { spec.chart.name.clone() } else { spec.title.clone() },
        namespace,
        chart: chart_ref(&spec.name, &spec.chart)?,
        values,
        needs,
        secrets: spec.secrets.clone(),
        crds: spec.crds.clone(),
        api_versions: spec.api_versions.clone(),
        ui: spec.ui.clone(),
        ready: spec.ready.clone(),
        timeout_seconds: spec.timeout_seconds,
        force_conflicts: spec.force_conflicts || config.force_conflicts.contains(&spec.name),
        migrates: spec.migrates.clone(),
    })
}

fn chart_ref(release: &str, chart: &ChartSpec) -> Result<ChartRef, StackError> {
    Ok(match (&chart.repository, &chart.version, &chart.path) {
        (Some(repository), Some(version), _) => {
            ChartRef::Upstream { repository: repository.clone(), name: chart.name.clone(), version: version.clone() }
        }
        (Some(_), None, _) => return Err(StackError::Unpinned { release: release.to_owned() }),
        (None, _, Some(path)) => ChartRef::Path { path: path.clone() },
        (None, _, None) => ChartRef::Stack { name: chart.name.clone() },
    })
}

fn secrets(
    config: &Config,
    catalog: &StackFile,
    engine: &Engine,
    context: &Value,
    releases: &mut [Release],
) -> Result<Vec<Secret>, StackError> {
    let mut made = Vec::new();
    for spec in &catalog.secrets {
        if spec.when.as_deref().map_or(Ok(true), |when| condition(engine, &spec.name, when, context))? {
            made.push(spec);
        }
    }
    let mut wanted: BTreeSet<String> = BTreeSet::new();
    for release in releases {
        if let Some(unknown) =
            release.secrets.iter().find(|name| !catalog.secrets.iter().any(|spec| spec.name == **name))
        {
            return Err(StackError::UnknownSecret { release: release.name.clone(), secret: unknown.clone() });
        }
        release.secrets.retain(|name| made.iter().any(|spec| spec.name == *name));
        wanted.extend(release.secrets.iter().cloned());
    }
    made.iter().filter(|spec| wanted.contains(&spec.name)).map(|spec| secret(config, engine, context, spec)).collect()
}

fn secret(config: &Config, engine: &Engine, context: &Value, spec: &SecretSpec) -> Result<Secret, StackError> {
    let mut keys = Vec::new();
    for (key, rule) in &spec.keys {
        let wrong = || StackError::KeyRule { secret: spec.name.clone(), key: key.clone() };
        let rule: KeyRule = serde_json::from_value(rule.clone()).map_err(|_| wrong())?;
        let kinds = [rule.value.is_some(), rule.random.is_some(), rule.derive.is_some()];
        if kinds.into_iter().filter(|kind| *kind).count() != 1 {
            return Err(wrong());
        }
        keys.push((key.clone(), rule));
    }
    let external =
        spec.existing_when.as_deref().map_or(Ok(false), |when| condition(engine, &spec.name, when, context))?;
    Ok(Secret {
        name: spec.name.clone(),
        title: spec.title.clone(),
        namespace: namespace_name(config, &spec.namespace),
        secret_type: spec.secret_type.clone(),
        keys,
        must_exist: external || config.credentials.source == crate::config::CredentialSource::Existing,
        copies: spec.copies.iter().map(|part| namespace_name(config, part)).collect(),
    })
}

fn namespaces(config: &Config, releases: &[Release]) -> Vec<Namespace> {
    // node-exporter and Alloy read the host, which only `privileged` allows; the other two run nothing of that kind.
    let own = [
        Namespace { name: config.namespaces.system.clone(), pod_security: "privileged" },
        Namespace { name: config.namespaces.dev.clone(), pod_security: "baseline" },
        Namespace { name: config.namespaces.prod.clone(), pod_security: "restricted" },
    ];
    let mut result = Vec::from(own);
    for release in releases {
        if !result.iter().any(|namespace| namespace.name == release.namespace) {
            result.push(Namespace { name: release.namespace.clone(), pod_security: "baseline" });
        }
    }
    result
}
