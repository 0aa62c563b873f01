//! Whole runs on throwaway clusters whose pods take [`DELAY`] to get ready.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use crate::process::{Run, run};

/// As long as a small real pod takes.
const DELAY: &str = "5s";
/// How often a short command is repeated.
const TIMES: usize = 5;

/// `up` against the same releases one after another with plain helm (the script that `render` writes), and against the
/// longest chain of needs in that run, which begins with namespaces, Secrets and CRDs; then the commands that find nothing to do.
pub(crate) fn measure() -> Value {
    let binary = binary();
    let work = tempfile::tempdir().expect("a temp folder");
    let repository = std::env::current_dir().expect("a folder");
    let charts = repository.join("tests/charts").to_string_lossy().into_owned();

    let plain = Cluster::start(&repository, &work.path().join("plain"));
    let project = plain.project(work.path(), "a", &charts);
    run(&binary, &["init", "--yes"], &project.folder, &project.environment);
    run(&binary, &["render", "--output-dir", "out"], &project.folder, &project.environment);
    let script = run(&project.folder.join("out/install.sh"), &[], &project.folder, &project.environment);
    let Steps { first, crds, releases } = steps(&script);
    let sequential = first + crds + releases.values().sum::<Duration>();
    let chain = first + crds + longest_chain(&releases);
    drop(plain);

    let cluster = Cluster::start(&repository, &work.path().join("own"));
    let project = cluster.project(work.path(), "b", &charts);
    run(&binary, &["init", "--yes"], &project.folder, &project.environment);
    let command = |args: &[&str]| run(&binary, args, &project.folder, &project.environment);
    let plan = command(&["plan"]);
    let up = command(&["up", "--yes", "--output", "json"]);
    let noop: Vec<Run> = (0..TIMES).map(|_| command(&["up", "--yes"])).collect();
    let noop_plan: Vec<Run> = (0..TIMES).map(|_| command(&["plan"])).collect();
    let status: Vec<Run> = (0..TIMES).map(|_| command(&["status"])).collect();
    let peak = [&plan, &up].into_iter().chain(&noop).map(|it| it.rss_mb).fold(0.0, f64::max);

    let size = std::fs::metadata(&binary).expect("the binary").len();
    #[expect(clippy::cast_precision_loss, reason = "a file size")]
    let binary_mb = size as f64 / 1e6;
    json!({
        "up_seconds": up.time.as_secs_f64(),
        "sequential_seconds": sequential.as_secs_f64(),
        "chain_seconds": chain.as_secs_f64(),
        "namespaces_and_secrets_seconds": first.as_secs_f64(),
        "up_to_sequential_ratio": up.time.as_secs_f64() / sequential.as_secs_f64(),
        "up_to_chain_ratio": up.time.as_secs_f64() / chain.as_secs_f64(),
        "noop_seconds": median(&noop),
        "plan_seconds": plan.time.as_secs_f64(),
        "noop_plan_seconds": median(&noop_plan),
        "status_seconds": median(&status),
        "rss_mb": peak,
        "binary_mb": binary_mb,
        "releases": releases.keys().collect::<Vec<_>>(),
        "pod_ready_delay": DELAY,
        "cores": std::thread::available_parallelism().map_or(0, usize::from),
    })
}

fn binary() -> PathBuf {
    #[expect(clippy::disallowed_methods, reason = "the benchmark is told which binary it measures")]
    let path = std::env::var_os("MLOPSCTL_BENCH_BINARY").expect("MLOPSCTL_BENCH_BINARY is set by tests/bench/run");
    PathBuf::from(path)
}

/// A throwaway cluster that ends with this value.
struct Cluster {
    script: PathBuf,
    folder: PathBuf,
}

struct Project {
    folder: PathBuf,
    environment: Vec<(String, String)>,
}

impl Cluster {
    fn start(repository: &Path, folder: &Path) -> Self {
        let cluster = Self { script: repository.join("tests/cluster/cluster"), folder: folder.to_owned() };
        let folder = folder.to_string_lossy();
        run(&cluster.script, &["up", "--dir", &folder, "--pod-ready-delay", DELAY], repository, &[]);
        cluster
    }

    fn project(&self, work: &Path, name: &str, charts: &str) -> Project {
        let folder = work.join(name);
        std::fs::create_dir_all(&folder).expect("a project folder");
        let text = |path: PathBuf| path.to_string_lossy().into_owned();
        let bin = text(self.folder.join("bin"));
        let environment = [
            ("KUBECONFIG", text(self.folder.join("kubeconfig"))),
            ("PATH", format!("{bin}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")),
            ("MLOPSCTL_CHARTS", charts.to_owned()),
            ("CHARTS", charts.to_owned()),
            ("MLOPSCTL_CACHE_DIR", text(work.join("cache"))),
            ("HOME", text(work.to_owned())),
        ];
        Project { folder, environment: environment.map(|(key, value)| (key.to_owned(), value)).into() }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let folder = self.folder.to_string_lossy();
        run(&self.script, &["down", "--dir", &folder], Path::new("."), &[]);
    }
}

/// How long the parts of the script took.
struct Steps {
    /// Namespaces and Secrets, which every release needs.
    first: Duration,
    crds: Duration,
    releases: BTreeMap<String, Duration>,
}

/// Returns how long the parts took, from the script's lines.
fn steps(script: &Run) -> Steps {
    let mut crds = Duration::ZERO;
    let mut releases = BTreeMap::new();
    let starts: Vec<&(Duration, String)> = script
        .lines
        .iter()
        .filter(|(_, line)| line.starts_with("applying ") || line.starts_with("installing "))
        .collect();
    for (index, (start, line)) in starts.iter().enumerate() {
        let end = starts.get(index + 1).map_or(script.time, |(next, _)| *next);
        match line.strip_prefix("installing ") {
            Some(release) => {
                releases.insert(release.to_owned(), end.saturating_sub(*start));
            }
            None => crds += end.saturating_sub(*start),
        }
    }
    let first = starts.first().map_or(Duration::ZERO, |(start, _)| *start);
    Steps { first, crds, releases }
}

/// Returns the longest sum of times along the needs of the default stack.
fn longest_chain(releases: &BTreeMap<String, Duration>) -> Duration {
    let catalog = crate::catalog();
    let config = crate::parse("", &catalog);
    let stack = mlopsctl::stack::resolve(&config, &catalog, &mlopsctl::stack::StackSource::Embedded, &BTreeMap::new());
    let stack = stack.expect("the stack resolves");
    let mut ends: BTreeMap<&str, Duration> = BTreeMap::new();
    for release in &stack.releases {
        let begin =
            release.needs.iter().filter_map(|need| ends.get(need.release.as_str())).max().copied().unwrap_or_default();
        ends.insert(&release.name, begin + releases[&release.name]);
    }
    ends.into_values().max().unwrap_or_default()
}

fn median(runs: &[Run]) -> f64 {
    let mut times: Vec<f64> = runs.iter().map(|run| run.time.as_secs_f64()).collect();
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
