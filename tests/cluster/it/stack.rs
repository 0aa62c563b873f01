//! A stack in namespaces of its own, and what `mlopsctl` does with it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard};

use serde_json::Value;

use crate::cluster::{QUICK, cluster, command, kubectl, kubectl_command, objects, run, variable, whole_cluster};

/// Switches everything off but the database and the object store: nothing of the whole cluster is touched.
pub(crate) const SMALL: &str =
    "monitoring: {enabled: false}\nlogging: {enabled: false}\nworkflows: {enabled: false}\nmlflow: {enabled: false}\n";
/// As `SMALL`, with MLflow, which needs both.
pub(crate) const WITH_MLFLOW: &str =
    "monitoring: {enabled: false}\nlogging: {enabled: false}\nworkflows: {enabled: false}\n";

/// What happened to each release.
pub(crate) type Actions = BTreeMap<String, String>;

/// A folder with an `mlops.yaml`, a PATH with helm and kubectl, and three namespaces, which are deleted when it is dropped. What
/// brings CustomResourceDefinitions is purged before the next one does.
pub(crate) struct Stack {
    pub(crate) id: String,
    folder: PathBuf,
    /// All that the commands wrote.
    transcript: Mutex<String>,
    purged: bool,
    /// Held until the stack is gone.
    whole: Option<MutexGuard<'static, ()>>,
}

impl Stack {
    /// Returns a stack whose file has this text beside id and namespaces. `name` is unique among the tests.
    pub(crate) fn new(name: &str, config: &str) -> Self {
        let folder = cluster().scratch.join(name);
        fs::create_dir_all(folder.join("bin")).unwrap();
        fs::create_dir_all(folder.join("work")).unwrap();
        let id = format!("t-{name}");
        let stack = Self { id, folder, transcript: Mutex::default(), purged: false, whole: None };
        stack.set_helm(&cluster().helm);
        stack.wrap("kubectl", &cluster().kubectl);
        stack.configure(config);
        stack
    }

    /// As `new`, for a stack that brings CustomResourceDefinitions.
    pub(crate) fn with_crds(name: &str, config: &str) -> Self {
        let whole = whole_cluster();
        let mut stack = Self::new(name, config);
        stack.whole = Some(whole);
        stack
    }

    pub(crate) fn system(&self) -> String {
        format!("{}-system", self.id)
    }

    pub(crate) fn dev(&self) -> String {
        format!("{}-dev", self.id)
    }

    pub(crate) fn prod(&self) -> String {
        format!("{}-prod", self.id)
    }

    pub(crate) fn namespaces(&self) -> [String; 3] {
        [self.system(), self.dev(), self.prod()]
    }

    /// Returns the folder that the commands run in.
    pub(crate) fn work(&self) -> PathBuf {
        self.folder.join("work")
    }

    pub(crate) fn cache(&self) -> PathBuf {
        self.folder.join("cache")
    }

    pub(crate) fn transcript(&self) -> String {
        self.transcript.lock().unwrap().clone()
    }

    /// Writes the file anew.
    pub(crate) fn configure(&self, config: &str) {
        let [system, dev, prod] = self.namespaces();
        let head = "apiVersion: mlopsctl.dev/v1alpha1";
        let names = format!("{{system: {system}, dev: {dev}, prod: {prod}}}");
        let text = format!("{head}\nstackId: {}\nnamespaces: {names}\n{config}", self.id);
        fs::write(self.work().join("mlops.yaml"), text).unwrap();
    }

    /// Makes this the helm on PATH.
    pub(crate) fn set_helm(&self, program: &Path) {
        self.wrap("helm", program);
    }

    /// Puts a program on PATH that notes its arguments and goes on as the real one.
    fn wrap(&self, name: &str, program: &Path) {
        let path = self.folder.join("bin").join(name);
        let (log, pids) = (self.log(name), self.pids(name));
        let note = format!("printf '%s\\n' \"$*\" >>'{}'\necho $$ $1 >>'{}'", log.display(), pids.display());
        let text = format!("#!/bin/sh\n{note}\nexec '{}' \"$@\"\n", program.display());
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn log(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.log"))
    }

    fn pids(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.pids"))
    }

    /// Returns the process ids of all calls of a tool, each with the name of the subcommand.
    pub(crate) fn processes(&self, name: &str) -> Vec<(String, String)> {
        let text = fs::read_to_string(self.pids(name)).unwrap_or_default();
        text.lines().filter_map(|line| line.split_once(' ')).map(|(id, what)| (id.into(), what.into())).collect()
    }

    /// Returns the calls of a tool since the last time, a line for each.
    pub(crate) fn take_calls(&self, name: &str) -> String {
        let calls = fs::read_to_string(self.log(name)).unwrap_or_default();
        let _ = fs::remove_file(self.log(name));
        self.transcript.lock().unwrap().push_str(&calls);
        calls
    }

    /// Returns a command in the stack's folder. It is the leader of a process group, as one that a shell starts.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = command(env!("CARGO_BIN_EXE_mlopsctl"));
        command.args(args).current_dir(self.work()).process_group(0).env_clear();
        let mut path = self.folder.join("bin").into_os_string();
        if variable("MLOPSCTL_TEST_KUBECONFIG").is_some() {
            // The kubeconfig may name a program that knows the credentials.
            path.push(":");
            path.push(variable("PATH").unwrap_or_default());
        }
        command.env("PATH", path).env("HOME", &self.folder).env("KUBECONFIG", &cluster().kubeconfig);
        command.envs(QUICK).env("MLOPSCTL_CHARTS", &cluster().charts).env("MLOPSCTL_CACHE_DIR", self.cache());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs `mlopsctl`.
    pub(crate) fn run(&self, args: &[&str]) -> Ended {
        self.ended(&args.join(" "), self.command(args).output().unwrap())
    }

    /// Starts `mlopsctl`.
    pub(crate) fn spawn(&self, args: &[&str]) -> Child {
        self.command(args).spawn().unwrap()
    }

    /// Waits for what was started.
    pub(crate) fn wait(&self, child: Child) -> Ended {
        self.ended("(started before)", child.wait_with_output().unwrap())
    }

    fn ended(&self, command: &str, output: Output) -> Ended {
        let ended = Ended::new(&format!("[{}] {command}", self.id), output);
        self.transcript.lock().unwrap().push_str(&ended.to_string());
        ended
    }

    /// Runs `up`, which must succeed, and returns what happened to each release.
    pub(crate) fn up(&self) -> Actions {
        self.run(&["up", "--yes", "--output", "json"]).code(0).actions()
    }

    /// Runs `up`, which must find nothing to do.
    pub(crate) fn up_is_unchanged(&self) {
        self.take_calls("helm");
        let actions = self.up();
        assert!(actions.values().all(|action| action == "unchanged"), "{actions:?}");
        let calls = self.take_calls("helm");
        assert!(!calls.lines().any(|call| call.starts_with("upgrade")), "helm was called: {calls}");
    }

    /// Returns the state of the newest revision of each release, as helm notes it.
    pub(crate) fn helm_list(&self) -> BTreeMap<String, String> {
        let mut newest: BTreeMap<String, (u64, String)> = BTreeMap::new();
        for namespace in self.namespaces() {
            for secret in objects(["secrets", "--namespace", &namespace, "--selector", "owner=helm"]) {
                let label = |name: &str| secret["metadata"]["labels"][name].as_str().unwrap().to_owned();
                let found = (label("version").parse().unwrap(), label("status"));
                let known = newest.entry(label("name")).or_default();
                *known = found.max(known.clone());
            }
        }
        newest.into_iter().map(|(name, (_, status))| (name, status)).collect()
    }

    /// Asserts that helm calls these releases deployed and knows no other.
    pub(crate) fn assert_deployed(&self, releases: &[&str]) {
        let expected: BTreeMap<_, _> =
            releases.iter().map(|name| ((*name).to_owned(), "deployed".to_owned())).collect();
        assert_eq!(self.helm_list(), expected);
    }

    /// Returns the content of our Secrets, by namespace and name.
    pub(crate) fn secrets(&self) -> BTreeMap<(String, String), Value> {
        let mut found = BTreeMap::new();
        for namespace in self.namespaces() {
            let selector = format!("mlopsctl.dev/stack={}", self.id);
            for secret in objects(["secrets", "--namespace", &namespace, "--selector", &selector]) {
                let name = secret["metadata"]["name"].as_str().unwrap().to_owned();
                found.insert((namespace.clone(), name), secret["data"].clone());
            }
        }
        found
    }

    /// Has the cluster delete the namespaces, whatever is in them.
    fn abandon(&self) {
        let mut delete = kubectl_command(["delete", "namespace", "--ignore-not-found", "--wait=false"]);
        let _ = delete.args(self.namespaces()).output();
    }

    /// Removes the stack with its data.
    pub(crate) fn purge(&mut self) -> Ended {
        self.purged = true;
        self.run(&["down", "--purge", "--confirm", &self.id, "--yes", "--output", "json"])
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // What failed may be `down`; the next test is to find no trace anyway.
            self.set_helm(&cluster().helm);
            self.purge();
            self.abandon();
        } else if self.whole.is_some() && !self.purged {
            self.purge().code(0);
        } else if !self.purged {
            self.abandon();
        }
    }
}

/// A command that ended.
#[derive(Debug)]
pub(crate) struct Ended {
    command: String,
    /// The exit code, or minus the signal's number.
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { command, code, stdout, stderr } = self;
        writeln!(f, "---- {command}: {code}\n{stdout}{stderr}")
    }
}

impl Ended {
    pub(crate) fn new(command: &str, output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let code = output.status.code().or(output.status.signal().map(|signal| -signal)).unwrap();
        let ended =
            Self { command: command.to_owned(), code, stdout: text(output.stdout), stderr: text(output.stderr) };
        println!("{ended}");
        ended
    }

    /// Asserts the exit code.
    #[track_caller]
    pub(crate) fn code(self, expected: i32) -> Self {
        assert_eq!(self.code, expected, "{self}");
        self
    }

    /// Asserts that standard error has this text.
    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "`{text}` is not on standard error: {self}");
        self
    }

    /// Returns standard output, which must be one JSON document.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self}"))
    }

    /// Returns standard output, which must be one JSON document a line.
    #[track_caller]
    pub(crate) fn json_lines(&self) -> Vec<Value> {
        let parse = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line}: {self}"));
        self.stdout.lines().map(parse).collect()
    }

    /// Returns what happened to each release.
    #[track_caller]
    pub(crate) fn actions(&self) -> Actions {
        let report = self.json();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        report["steps"].as_array().unwrap().iter().map(|step| (text(&step["release"]), text(&step["action"]))).collect()
    }

    /// Returns the code of the cause of a release's failure.
    #[track_caller]
    pub(crate) fn cause(&self, release: &str) -> Value {
        let report = self.json();
        let step = report["steps"].as_array().unwrap().iter().find(|step| step["release"] == release);
        step.unwrap_or_else(|| panic!("no step of {release}: {self}"))["cause"].clone()
    }
}

/// Asserts that this, and nothing else, happened to some releases, and nothing to all others.
#[track_caller]
pub(crate) fn assert_only(actions: &Actions, action: &str, releases: &[&str]) {
    let changed: Vec<&str> =
        actions.iter().filter(|(_, it)| *it != "unchanged").map(|(name, _)| name.as_str()).collect();
    assert_eq!(changed, releases, "{actions:?}");
    assert!(releases.iter().all(|name| actions[*name] == action), "{actions:?}");
}

/// Returns every object in a namespace but what every namespace has.
pub(crate) fn objects_in(namespace: &str) -> Vec<String> {
    let listed = kubectl(["api-resources", "--namespaced", "--verbs=list,delete", "-o", "name"]);
    let kinds: Vec<&str> = listed.lines().filter(|kind| !kind.starts_with("events")).collect();
    let mut get =
        kubectl_command(["get", &kinds.join(","), "--namespace", namespace, "--ignore-not-found", "-o", "name"]);
    let output = get.output().unwrap();
    if !output.status.success() {
        // Another test may have deleted a kind in between.
        assert!(String::from_utf8_lossy(&output.stderr).contains("have a resource type"), "{output:?}");
        return objects_in(namespace);
    }
    let usual = ["configmap/kube-root-ca.crt", "serviceaccount/default"];
    let found = String::from_utf8(output.stdout).unwrap();
    found.lines().filter(|name| !usual.contains(name)).map(str::to_owned).collect()
}

/// Returns every cluster-scoped object that a stack or a release in one of its namespaces made.
pub(crate) fn cluster_objects(stack: &Stack) -> Vec<String> {
    let kinds = kubectl(["api-resources", "--namespaced=false", "--verbs=list,delete", "-o", "name"]);
    let kinds: Vec<&str> = kinds.lines().collect();
    let ours = |object: &Value| {
        let metadata = &object["metadata"];
        let namespace = metadata["annotations"]["meta.helm.sh/release-namespace"].as_str();
        metadata["labels"]["mlopsctl.dev/stack"] == stack.id.as_str()
            || namespace.is_some_and(|namespace| stack.namespaces().iter().any(|it| it == namespace))
            || metadata["name"].as_str().is_some_and(|name| stack.namespaces().iter().any(|it| it == name))
    };
    let name = |object: &Value| {
        format!("{}/{}", object["kind"].as_str().unwrap(), object["metadata"]["name"].as_str().unwrap())
    };
    objects([kinds.join(",").as_str()]).iter().filter(|object| ours(object)).map(name).collect()
}

/// Sends a signal to a process, or to a whole process group.
pub(crate) fn send(signal: &str, target: &str) {
    run(command("sh").args(["-c", &format!("kill -s {signal} -- {target}")]));
}
