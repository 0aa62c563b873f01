//! The support archive: what somebody else needs to find out why a stack is not well, and no value of any Secret.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use crate::cluster::{ClusterState, Redactor};
use crate::error::{CommandError, ExitStatus};
use crate::exec::{Invocation, Runner, Tool, Tools};
use crate::stack::Stack;
use crate::{helm, kubectl};

/// The folder inside the archive.
const ROOT: &str = "mlopsctl-support";
/// Lines of each container's log.
const LINES: u16 = 500;
/// What is read of each namespace. Secrets are read apart.
const KINDS: &[&str] = &[
    "deployments,statefulsets,daemonsets,replicasets,jobs,cronjobs,pods",
    "services,ingresses,networkpolicies,configmaps,serviceaccounts,leases",
    "persistentvolumeclaims,resourcequotas,limitranges,roles,rolebindings",
    "events",
];
/// What is read of the cluster.
const CLUSTER_KINDS: &[&str] = &["nodes", "storageclasses", "ingressclasses", "persistentvolumes"];

/// What goes into an archive.
#[derive(Debug)]
pub(crate) struct Archive<'a> {
    /// Asks the cluster.
    pub(crate) runner: &'a Runner,
    /// The versions of the tools.
    pub(crate) tools: &'a Tools,
    /// The stack.
    pub(crate) stack: &'a Stack,
    /// The cluster as observed.
    pub(crate) state: &'a ClusterState,
    /// The config file and the lock file; one that does not exist is left out.
    pub(crate) files: &'a [PathBuf],
    /// What `diagnose` says, as JSON.
    pub(crate) diagnosis: &'a str,
}

/// Writes the archive, whole or not at all. Refused where Secrets cannot be read: their values could not be taken out.
pub(crate) async fn write_archive(archive: &Archive<'_>, path: &Path) -> Result<(), CommandError> {
    let Archive { runner, stack, state, .. } = archive;
    let namespaces = state.namespaces.keys().map(String::as_str);
    let redactor = Redactor::load(runner, namespaces).await.map_err(|error| {
        CommandError::from(error).hint("without reading Secrets their values cannot be taken out of the archive")
    })?;
    let mut book = Book { redactor, entries: Vec::new(), missing: Vec::new() };
    book.add("diagnosis.json", archive.diagnosis);
    book.add("versions.txt", &versions(archive));
    for file in archive.files {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        match fs_err::read_to_string(file) {
            Ok(text) => book.add(&format!("config/{name}"), &text),
            Err(error) => book.miss(&name, &error),
        }
    }
    for kind in CLUSTER_KINDS {
        book.objects(runner, &format!("cluster/{kind}.json"), kind, None).await;
    }
    let crds = kubectl::get_labels("customresourcedefinitions");
    book.answer(runner, "cluster/customresourcedefinitions.txt", crds).await;
    for namespace in state.namespaces.keys() {
        book.namespace(runner, namespace).await;
    }
    for release in &stack.releases {
        if state.releases.contains_key(&(release.namespace.clone(), release.name.clone())) {
            book.release(runner, &release.name, &release.namespace).await;
        }
    }
    book.finish(path).map_err(|error| {
        let error = anyhow::Error::new(error).context(format!("{} could not be written", path.display()));
        CommandError::new(ExitStatus::Failure, error)
    })
}

fn versions(archive: &Archive<'_>) -> String {
    let Archive { tools, state, stack, .. } = archive;
    let (own, server, kubectl) = (env!("CARGO_PKG_VERSION"), &state.server_version, &state.kubectl_version);
    let head =
        format!("mlopsctl {own}\nhelm {}\nkubectl {kubectl}\nKubernetes {server}\nstack {}\n", tools.helm, stack.id);
    let releases = stack.releases.iter().map(|release| format!("release {} {}\n", release.name, release.chart));
    std::iter::once(head).chain(releases).collect()
}

/// Gathers texts, each without values of Secrets.
struct Book {
    redactor: Redactor,
    entries: Vec<(String, String)>,
    missing: Vec<String>,
}

impl Book {
    fn add(&mut self, name: &str, text: &str) {
        self.entries.push((name.to_owned(), self.redactor.clean(text)));
    }

    /// Notes what could not be had. The rest is of use without it.
    fn miss(&mut self, name: &str, why: &dyn std::fmt::Display) {
        self.missing.push(format!("{name}: {why}\n"));
    }

    async fn answer(&mut self, runner: &Runner, name: &str, call: Invocation) {
        match runner.run(call).await {
            Ok(output) => self.add(name, &output.stdout),
            Err(error) => self.miss(name, &error),
        }
    }

    /// Adds the objects of a kind, and returns them.
    async fn objects(&mut self, runner: &Runner, name: &str, kinds: &str, namespace: Option<&str>) -> Vec<Value> {
        match runner.run(kubectl::get([kinds], namespace)).await {
            Ok(output) => {
                let mut objects = kubectl::items(&output.stdout);
                objects.iter_mut().for_each(mask);
                self.add(name, &serde_json::to_string_pretty(&objects).unwrap_or_default());
                objects
            }
            Err(error) => {
                self.miss(name, &error);
                Vec::new()
            }
        }
    }

    async fn namespace(&mut self, runner: &Runner, namespace: &str) {
        self.objects(runner, &format!("{namespace}/namespace.json"), &format!("namespace/{namespace}"), None).await;
        for kinds in KINDS {
            let name = kinds.split(',').next().unwrap_or_default();
            let objects = self.objects(runner, &format!("{namespace}/{name}.json"), kinds, Some(namespace)).await;
            for pod in objects.iter().filter(|object| object["kind"] == "Pod") {
                self.logs(runner, pod, namespace).await;
            }
        }
        // Names and keys of Secrets help; `describe` shows sizes instead of values.
        let secrets = Invocation::new(Tool::Kubectl, ["describe", "secrets", "--namespace", namespace]);
        self.answer(runner, &format!("{namespace}/secrets.txt"), secrets).await;
    }

    async fn logs(&mut self, runner: &Runner, pod: &Value, namespace: &str) {
        let name = pod["metadata"]["name"].as_str().unwrap_or_default();
        for part in ["initContainerStatuses", "containerStatuses"] {
            for status in pod["status"][part].as_array().into_iter().flatten() {
                let container = status["name"].as_str().unwrap_or_default();
                let ran = |state: &Value| state["running"].is_object() || state["terminated"].is_object();
                if ran(&status["state"]) || ran(&status["lastState"]) {
                    let file = format!("{namespace}/logs/{name}.{container}.log");
                    let call = kubectl::log_tail(name, Some(container), namespace, LINES, false);
                    self.answer(runner, &file, call).await;
                }
                if status["restartCount"].as_u64().unwrap_or(0) > 0 {
                    let file = format!("{namespace}/logs/{name}.{container}.previous.log");
                    let call = kubectl::log_tail(name, Some(container), namespace, LINES, true);
                    self.answer(runner, &file, call).await;
                }
            }
        }
    }

    async fn release(&mut self, runner: &Runner, name: &str, namespace: &str) {
        self.answer(runner, &format!("helm/{name}.history.json"), helm::history(name, namespace, 10)).await;
        let values = Invocation::new(Tool::Helm, ["get", "values", name, "--namespace", namespace, "--output", "json"]);
        self.answer(runner, &format!("helm/{name}.values.json"), values).await;
        let file = format!("helm/{name}.manifest.json");
        match runner.run(helm::manifest(name, namespace)).await {
            Ok(output) => match crate::render::documents(&output.stdout) {
                Ok(mut objects) => {
                    objects.iter_mut().for_each(mask);
                    self.add(&file, &serde_json::to_string_pretty(&objects).unwrap_or_default());
                }
                Err(error) => self.miss(&file, &error),
            },
            Err(error) => self.miss(&file, &error),
        }
    }

    fn finish(mut self, path: &Path) -> std::io::Result<()> {
        if !self.missing.is_empty() {
            let missing = self.missing.concat();
            self.add("missing.txt", &missing);
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        // Readable for its owner alone, as temporary files are: logs are nobody else's business.
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        let mut archive = tar::Builder::new(GzEncoder::new(file.as_file_mut(), Compression::default()));
        let now = u64::try_from(jiff::Timestamp::now().as_second()).unwrap_or(0);
        for (name, text) in &self.entries {
            let mut header = tar::Header::new_gnu();
            header.set_size(text.len() as u64);
            header.set_mode(0o600);
            header.set_mtime(now);
            archive.append_data(&mut header, format!("{ROOT}/{name}"), text.as_bytes())?;
        }
        archive.into_inner()?.finish()?.flush()?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    }
}

/// Takes out what may be secret although no Secret holds it: the content of Secrets in manifests, passwords written out in the
/// environment of containers, and the copy of an object that `kubectl apply` keeps.
fn mask(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(mask),
        Value::Object(map) => {
            if map.get("kind").is_some_and(|kind| kind == "Secret") {
                for part in ["data", "stringData"] {
                    let values = map.get_mut(part).and_then(Value::as_object_mut);
                    values.into_iter().flat_map(|it| it.values_mut()).for_each(|it| *it = json!("***"));
                }
            }
            let telling = ["PASSWORD", "PASSWD", "SECRET", "TOKEN", "ACCESS_KEY"];
            let name = map.get("name").and_then(Value::as_str).unwrap_or_default().to_uppercase();
            if telling.iter().any(|word| name.contains(word))
                && let Some(value) = map.get_mut("value").filter(|value| value.is_string())
            {
                *value = json!("***");
            }
            map.remove("kubectl.kubernetes.io/last-applied-configuration");
            map.values_mut().for_each(mask);
        }
        _ => {}
    }
}
