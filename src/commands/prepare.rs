//! What most commands begin with: the file, the tools, the cluster, the charts, and the plan that follows from them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::apply::record_from_manifest;
use crate::chart::{Chart, ChartStore, LOCK_FILE, Lock, unknown_keys};
use crate::cluster::{ClusterState, ReleaseStatus, Scope, observe};
use crate::config::{ConfigError, LoadedConfig, load};
use crate::error::CommandError;
use crate::exec::{Runner, Target, ToolPaths, Tools};
use crate::kubectl;
use crate::plan::{Action, Inputs, Plan, PlanError, build};
use crate::settings::Settings;
use crate::stack::{Alphabet, ChartRef, RandomRule, Stack, StackError, StackFile, resolve};

/// Reads `stack.yaml`.
pub(crate) fn catalog(settings: &Settings) -> Result<StackFile, CommandError> {
    let text = settings.stack.read("stack.yaml")?;
    Ok(crate::config::parse_catalog_yaml(&settings.stack.display_path("stack.yaml"), &text)?)
}

/// Reads the config file.
pub(crate) fn config(settings: &Settings, catalog: &StackFile) -> Result<LoadedConfig, CommandError> {
    Ok(load(&settings.config, &catalog.profiles)?)
}

/// Resolves the stack; a problem of something that stands in the config file is told with its place there.
pub(crate) fn stack(
    settings: &Settings,
    loaded: &LoadedConfig,
    catalog: &StackFile,
    generations: &BTreeMap<String, String>,
) -> Result<Stack, CommandError> {
    resolve(&loaded.config, catalog, &settings.stack, generations).map_err(|error| match place(loaded, &error) {
        Some(located) => located.into(),
        None => error.into(),
    })
}

fn place(loaded: &LoadedConfig, error: &StackError) -> Option<ConfigError> {
    let own = |name: &str| {
        loaded.config.releases.iter().position(|release| release.name == name).map(|index| index.to_string())
    };
    let (path, help) = match error {
        StackError::UnknownRelease { part, place, suggestion, .. } => {
            (vec![(*part).to_owned(), place.clone()], suggestion.as_ref().map(|name| format!("did you mean `{name}`?")))
        }
        StackError::Duplicate { release } => {
            // The second one is too many.
            let index = loaded.config.releases.iter().rposition(|it| it.name == *release)?.to_string();
            (vec!["releases".into(), index, "name".into()], Some("choose another name".into()))
        }
        StackError::UnknownNeed { release, .. } => (vec!["releases".into(), own(release)?, "needs".into()], None),
        StackError::UnknownSecret { release, .. } => (vec!["releases".into(), own(release)?, "secrets".into()], None),
        StackError::Unpinned { release } => {
            (vec!["releases".into(), own(release)?, "chart".into()], Some("add `version`".into()))
        }
        StackError::NotBoolean { name, .. } | StackError::Condition { name, .. } => {
            (vec!["releases".into(), own(name)?, "when".into()], None)
        }
        StackError::Cycle { cycle } => {
            let index = cycle.iter().find_map(|name| own(name))?;
            (vec!["releases".into(), index, "needs".into()], Some("take one of these needs out".into()))
        }
        _ => return None,
    };
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    let mut problem = loaded.problem_at(&path, error.to_string());
    if let Some(help) = help {
        problem = problem.help(help);
    }
    Some(loaded.invalid(vec![problem]))
}

/// Finds the tools and binds them to the cluster of the flags or the file.
pub(crate) fn runner(settings: &Settings, context: Option<&str>) -> Result<Runner, CommandError> {
    let paths = ToolPaths::find(settings.helm.clone(), settings.kubectl.clone())?;
    let context = settings.context.clone().or_else(|| context.map(str::to_owned));
    Ok(Runner::new(paths, Target { kubeconfig: settings.kubeconfig.clone(), context }))
}

/// Returns where charts come from.
pub(crate) fn chart_store(settings: &Settings) -> ChartStore {
    ChartStore {
        source: settings.stack.clone(),
        folder: settings.charts.clone(),
        cache: settings.cache.clone(),
        base: base(settings),
    }
}

fn base(settings: &Settings) -> PathBuf {
    settings.config.parent().map(PathBuf::from).unwrap_or_default()
}

/// Returns where the lock file is.
pub(crate) fn lock_path(settings: &Settings) -> PathBuf {
    base(settings).join(LOCK_FILE)
}

/// Returns what is to be looked at for a stack.
pub(crate) fn scope(stack: &Stack) -> Scope {
    let namespaces: Vec<String> = stack.namespaces.iter().map(|namespace| namespace.name.clone()).collect();
    Scope { system: namespaces.first().cloned().unwrap_or_default(), namespaces }
}

/// Everything that a plan is made of.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) loaded: LoadedConfig,
    pub(crate) runner: Runner,
    pub(crate) tools: Tools,
    pub(crate) stack: Stack,
    pub(crate) charts: BTreeMap<ChartRef, Chart>,
    pub(crate) state: ClusterState,
    pub(crate) generations: BTreeMap<String, String>,
    lock: Lock,
    lock_changed: bool,
}

impl Prepared {
    /// Reads the file, asks tools and cluster, fetches the charts; the slow parts at the same time.
    pub(crate) async fn new(settings: &Settings) -> Result<Self, CommandError> {
        let catalog = catalog(settings)?;
        let loaded = config(settings, &catalog)?;
        let draft = stack(settings, &loaded, &catalog, &BTreeMap::new())?;
        let runner = runner(settings, loaded.config.cluster.context.as_deref())?;
        let scope = scope(&draft);
        let store = chart_store(settings);
        let (tools, state, charts) = tokio::join!(
            Tools::probe(&runner),
            observe(&runner, &scope),
            store.fetch(&runner, draft.releases.iter().map(|release| release.chart.clone())),
        );
        let (tools, mut state, charts) = (tools?, state?, charts?);
        let mut lock = Lock::read(&lock_path(settings))?;
        let mut lock_changed = false;
        for entry in charts.values().filter_map(|chart| chart.lock.clone()) {
            lock_changed |= lock.check(&lock_path(settings), entry)?;
        }
        warn_of_unknown_keys(settings, &loaded, &draft, &charts);
        state.secret_keys = secret_keys(&runner, &draft, &state).await?;
        let generations = generations(&draft, &state);
        let stack = stack(settings, &loaded, &catalog, &generations)?;
        complete_record(&runner, &stack, &charts, &mut state, &generations).await?;
        Ok(Self { loaded, runner, tools, stack, charts, state, generations, lock, lock_changed })
    }

    /// Returns the plan, or all reasons against it.
    pub(crate) fn plan(&self) -> Result<Plan, Vec<PlanError>> {
        build(&self.inputs())
    }

    pub(crate) fn inputs(&self) -> Inputs<'_> {
        Inputs { stack: &self.stack, charts: &self.charts, state: &self.state, generations: &self.generations }
    }

    /// Writes new entries to the lock file. Where the folder is read-only (a CI checkout), says so and goes on.
    pub(crate) fn write_lock(&self, settings: &Settings) {
        if self.lock_changed
            && let Err(error) = self.lock.write(&lock_path(settings))
        {
            settings.printer.complain(&format!("warning: {LOCK_FILE} could not be written: {error}"));
        }
    }
}

/// Warns of raw values that the chart does not list.
fn warn_of_unknown_keys(settings: &Settings, loaded: &LoadedConfig, stack: &Stack, charts: &BTreeMap<ChartRef, Chart>) {
    for release in &stack.releases {
        let (Some(values), Some(chart)) = (loaded.config.values.get(&release.name), charts.get(&release.chart)) else {
            continue;
        };
        for unknown in unknown_keys(&chart.files, values) {
            let parts = unknown.parts.iter().map(String::as_str);
            let path: Vec<&str> = ["values", &release.name].into_iter().chain(parts).collect();
            let place = loaded.problem_at(&path, String::new());
            let meant = unknown.suggestion.map(|name| format!("; did you mean `{name}`?")).unwrap_or_default();
            let (file, line, column) = (settings.config.display(), place.line, place.column);
            let text = format!(
                "{file}:{line}:{column}: warning: chart {} has no value `{}`{meant}",
                release.chart, unknown.path
            );
            settings.printer.complain(&text);
        }
    }
}

/// Reads which keys Secrets have that somebody else made. Only names leave kubectl, no content.
async fn secret_keys(
    runner: &Runner,
    stack: &Stack,
    state: &ClusterState,
) -> Result<BTreeMap<(String, String), Vec<String>>, CommandError> {
    let mut found = BTreeMap::new();
    for secret in &stack.secrets {
        let place = (secret.namespace.clone(), secret.name.clone());
        if state.secrets.get(&place) == Some(&None) {
            let output = runner.run(kubectl::secret_keys(&secret.name, &secret.namespace)).await?;
            found.insert(place, output.stdout.split_whitespace().map(str::to_owned).collect());
        }
    }
    Ok(found)
}

/// Returns the generation id of each Secret: that of the existing one, or a new one.
fn generations(stack: &Stack, state: &ClusterState) -> BTreeMap<String, String> {
    let fresh = RandomRule { length: 16, minimum: 16, alphabet: Alphabet::Hex };
    let id = |secret: &crate::stack::Secret| match state.secrets.get(&(secret.namespace.clone(), secret.name.clone())) {
        Some(Some(generation)) => generation.clone(),
        // Made by somebody else, without an id; its changes are not seen.
        Some(None) => "existing".to_owned(),
        None => {
            use secrecy::ExposeSecret as _;
            crate::stack::random_text(&fresh).expose_secret().to_owned()
        }
    };
    stack.secrets.iter().map(|secret| (secret.name.clone(), id(secret))).collect()
}

/// Fills gaps of the record (a run that was killed wrote none) from the manifests that helm keeps.
async fn complete_record(
    runner: &Runner,
    stack: &Stack,
    charts: &BTreeMap<ChartRef, Chart>,
    state: &mut ClusterState,
    generations: &BTreeMap<String, String>,
) -> Result<(), CommandError> {
    let Ok(plan) = build(&Inputs { stack, charts, state, generations }) else { return Ok(()) };
    let mut tasks = tokio::task::JoinSet::new();
    for release in plan.releases {
        let key = (release.release.namespace.clone(), release.release.name.clone());
        let Some(found) = state.releases.get(&key).filter(|found| found.status == ReleaseStatus::Deployed) else {
            continue;
        };
        let recorded = state.record.as_ref().and_then(|record| record.releases.get(&release.release.name));
        let gap = recorded.is_none_or(|record| record.revision != found.revision);
        let ours = found.digest_revision == Some(found.revision) && found.digest.as_deref() == Some(&release.digest);
        if gap && ours && !matches!(release.action, Action::Foreign { .. }) {
            let (runner, revision) = (runner.clone(), found.revision);
            tasks.spawn(async move {
                let record = record_from_manifest(&runner, &release, revision).await;
                (release.release.name, record)
            });
        }
    }
    while let Some(done) = tasks.join_next().await {
        let Ok((name, record)) = done else { continue };
        if let Some(record) = record? {
            state.record.get_or_insert_default().releases.insert(name, record);
        }
    }
    Ok(())
}

/// Returns who we are, for the Lease and for people.
pub(crate) fn holder() -> String {
    use secrecy::ExposeSecret as _;
    let host = gethostname::gethostname().to_string_lossy().into_owned();
    let part = crate::stack::random_text(&RandomRule { length: 8, minimum: 8, alphabet: Alphabet::Hex });
    format!("{host}/{}/{}", std::process::id(), part.expose_secret())
}
