//! The cluster that all tests share, and the tools that work on it.

use std::ffi::OsStr;
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use serde_json::Value;

/// The project's folder.
pub(crate) const PROJECT: &str = env!("CARGO_MANIFEST_DIR");

/// A cluster with its tools.
pub(crate) struct Cluster {
    pub(crate) kubeconfig: PathBuf,
    pub(crate) helm: PathBuf,
    pub(crate) helm3: PathBuf,
    pub(crate) kubectl: PathBuf,
    /// A copy of the test charts: the tests' lock files pin what is in it.
    pub(crate) charts: PathBuf,
    /// Everything that the tests write.
    pub(crate) scratch: PathBuf,
}

/// Returns the cluster, started at the first call.
///
/// It is that of `MLOPSCTL_TEST_CLUSTER` (the folder of a `tests/cluster/cluster up`) or `MLOPSCTL_TEST_KUBECONFIG` (any
/// cluster whose nodes obey `simulate.mlopsctl.dev/pod`, with helm, helm3 and kubectl on PATH), or else a new one.
pub(crate) fn cluster() -> &'static Cluster {
    static CLUSTER: LazyLock<Cluster> = LazyLock::new(Cluster::start);
    &CLUSTER
}

/// Waits until no other test uses what belongs to the whole cluster: CustomResourceDefinitions and the default names.
pub(crate) fn whole_cluster() -> MutexGuard<'static, ()> {
    static WHOLE: Mutex<()> = Mutex::new(());
    WHOLE.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Cluster {
    fn start() -> Self {
        let scratch = tempfile::Builder::new().prefix("mlopsctl-it.").tempdir().unwrap().keep();
        let charts = scratch.join("charts");
        run(command("cp").arg("-r").arg(Path::new(PROJECT).join("tests/charts")).arg(&charts));
        let given = variable("MLOPSCTL_TEST_CLUSTER");
        if let Some(kubeconfig) = variable("MLOPSCTL_TEST_KUBECONFIG") {
            let find = |tool: &str| which::which(tool).unwrap_or_else(|_| panic!("{tool} is not on PATH"));
            end_with_us(&scratch, None);
            return Self {
                kubeconfig,
                helm: find("helm"),
                helm3: find("helm3"),
                kubectl: find("kubectl"),
                charts,
                scratch,
            };
        }
        let program = Path::new(PROJECT).join("tests/cluster/cluster");
        end_with_us(&scratch, given.is_none().then_some(&program));
        let dir = given.unwrap_or_else(|| {
            let dir = scratch.join("cluster");
            run(command(&program).args(["up", "--dir"]).arg(&dir));
            dir
        });
        let bin = dir.join("bin");
        let (helm, helm3, kubectl) = (bin.join("helm"), bin.join("helm3"), bin.join("kubectl"));
        Self { kubeconfig: dir.join("kubeconfig"), helm, helm3, kubectl, charts, scratch }
    }
}

/// Ends the cluster and removes the scratch folder when this process ends, however it does: a shell in a process group of
/// its own waits for the end of a pipe that nobody writes to.
fn end_with_us(scratch: &Path, program: Option<&PathBuf>) {
    let script = r#"cat >/dev/null; [ -z "$2" ] || "$2" down --dir "$1/cluster"; rm -rf "$1""#;
    let mut shell = command("sh");
    shell.args(["-c", script, "sh"]).arg(scratch).arg(program.map_or(Path::new(""), PathBuf::as_path));
    shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
    std::mem::forget(shell.spawn().unwrap());
}

/// Returns a command that starts with the environment of the tests.
#[expect(clippy::disallowed_methods, reason = "the runner of the library is what is tested")]
pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
    Command::new(program)
}

#[expect(clippy::disallowed_methods, reason = "the names of the library are not those of its tests")]
pub(crate) fn variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// Runs a command that must succeed and returns its standard output.
pub(crate) fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}\n{stderr}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

/// What helm and kubectl get in their environment, since the time of the tests is mostly theirs. They end before collecting
/// garbage pays. In most languages, English among them, both read 150 kB of messages each time they start, which is a third of
/// what they do; in French it is seven lines, all of help texts.
pub(crate) const QUICK: [(&str, &str); 2] = [("GOGC", "400"), ("LC_MESSAGES", "fr_FR.UTF-8")];

/// Returns a call of kubectl.
pub(crate) fn kubectl_command<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Command {
    let mut kubectl = command(&cluster().kubectl);
    kubectl.args(args).env("KUBECONFIG", &cluster().kubeconfig).envs(QUICK);
    kubectl
}

/// Runs kubectl, which must succeed, and returns its standard output.
pub(crate) fn kubectl<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> String {
    run(&mut kubectl_command(args))
}

/// Runs helm as another person would.
pub(crate) fn helm<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> String {
    run(command(&cluster().helm).args(args).env("KUBECONFIG", &cluster().kubeconfig).envs(QUICK))
}

/// Runs kubectl with an object on its standard input.
pub(crate) fn kubectl_with<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>, object: &Value) -> String {
    let mut child = kubectl_command(args).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(object.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "kubectl, with {object}: {}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

/// Returns the objects that `kubectl get` with these arguments finds.
pub(crate) fn objects<'a>(args: impl IntoIterator<Item = &'a str>) -> Vec<Value> {
    let text = kubectl(["get", "-o", "json", "--ignore-not-found"].into_iter().chain(args));
    let mut answer: Value = serde_json::from_str(&text).unwrap_or_default();
    match answer.get_mut("items").map(Value::take) {
        Some(Value::Array(items)) => items,
        _ if answer.is_object() => vec![answer],
        _ => Vec::new(),
    }
}

/// Waits until something is so, for half a minute.
pub(crate) fn until(what: &str, mut so: impl FnMut() -> bool) {
    for _ in 0..150 {
        if so() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
    panic!("{what}: not after half a minute");
}
