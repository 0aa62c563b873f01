//! helm's arguments, for both generations, and what it answers.

use std::time::Duration;

use serde_json::Value;

use crate::exec::{Invocation, Stdin, Tool, Tools};
use crate::stack::Release;

/// Label of a release: the digest of all that went into it.
pub const DIGEST_LABEL: &str = "mlopsctl.dev/digest";
/// Label of a release: the revision that the digest belongs to. A later `helm upgrade` by hand inherits the labels, so
/// another revision means another hand.
pub const REVISION_LABEL: &str = "mlopsctl.dev/revision";

/// Beyond the release's own limit helm gets this to write down that it failed.
const LIMIT_MARGIN: Duration = Duration::from_secs(30);

/// What `helm upgrade --install` needs.
#[derive(Debug)]
pub struct Upgrade<'a> {
    /// The release.
    pub release: &'a Release,
    /// The chart on disk.
    pub chart: &'a std::path::Path,
    /// The digest to label it with.
    pub digest: &'a str,
    /// The revision that this call will make.
    pub revision: u64,
}

/// Returns the call that installs or upgrades a release and returns when its hooks are done.
pub fn upgrade(tools: &Tools, upgrade: &Upgrade<'_>) -> Invocation {
    let Release { name, namespace, timeout_seconds, .. } = upgrade.release;
    let labels = format!("{DIGEST_LABEL}={},{REVISION_LABEL}={}", upgrade.digest, upgrade.revision);
    let mut call = Invocation::new(Tool::Helm, ["upgrade", "--install", name])
        .arg(upgrade.chart.to_string_lossy())
        .args(["--namespace", namespace, "--values", "-", "--skip-crds", "--history-max", "10"])
        // helm would fetch the schemas of all kinds only to learn that the API server checks fields, which it does by itself:
        // the flag takes half of the time of a call.
        .arg("--disable-openapi-validation")
        .args(["--labels", &labels, "--timeout", &format!("{timeout_seconds}s"), "--output", "json"]);
    if tools.is_helm4() {
        // Readiness is ours to wait for. 4.0 knows this mode only as the default.
        if tools.helm >= semver::Version::new(4, 1, 0) {
            call = call.arg("--wait=hookOnly");
        }
        if upgrade.release.force_conflicts {
            call = call.arg("--force-conflicts");
        }
    }
    call.stdin(Stdin::Plain(upgrade.release.values.to_string()))
        .timeout(Duration::from_secs(u64::from(*timeout_seconds)) + LIMIT_MARGIN)
}

/// Returns the call that goes back to a revision.
pub fn rollback(name: &str, namespace: &str, revision: u64, limit: Duration) -> Invocation {
    let seconds = limit.as_secs();
    Invocation::new(
        Tool::Helm,
        ["rollback", name, &revision.to_string(), "--namespace", namespace, "--timeout", &format!("{seconds}s")],
    )
    .args(["--history-max", "10"])
    .timeout(limit + LIMIT_MARGIN)
    .isolated()
}

/// Returns the call that puts a revision's own number on it, where helm made it with the labels of another.
pub fn number(name: &str, namespace: &str, revision: u64) -> Invocation {
    let (secret, label) = (secret_name(name, revision), format!("{REVISION_LABEL}={revision}"));
    Invocation::new(Tool::Kubectl, ["label", "secret", &secret, &label, "--overwrite", "--namespace", namespace])
        .isolated()
}

/// Returns the call that drops helm's record of a release and leaves its objects, which the next install takes up: they carry
/// its name.
pub fn forget(name: &str, namespace: &str) -> Invocation {
    let selector = format!("owner=helm,name={name}");
    Invocation::new(Tool::Kubectl, ["delete", "secret", "--namespace", namespace, "--selector", &selector]).isolated()
}

/// Returns the name of the Secret in which helm keeps a revision.
pub fn secret_name(name: &str, revision: u64) -> String {
    format!("sh.helm.release.v1.{name}.v{revision}")
}

/// Returns the call that uninstalls a release; a missing one is fine.
pub fn uninstall(name: &str, namespace: &str, limit: Duration) -> Invocation {
    let seconds = limit.as_secs();
    Invocation::new(
        Tool::Helm,
        ["uninstall", name, "--namespace", namespace, "--ignore-not-found", "--timeout", &format!("{seconds}s")],
    )
    .timeout(limit + LIMIT_MARGIN)
    .isolated()
}

/// Returns the call that prints the stored manifest of a release.
pub fn manifest(name: &str, namespace: &str) -> Invocation {
    Invocation::new(Tool::Helm, ["get", "manifest", name, "--namespace", namespace])
}

/// Returns the call that lists the last revisions of a release as JSON, the oldest first.
pub fn history(name: &str, namespace: &str, revisions: u16) -> Invocation {
    let revisions = revisions.to_string();
    Invocation::new(Tool::Helm, ["history", name, "--namespace", namespace, "--max", &revisions, "--output", "json"])
}

/// Returns the call that renders a chart without a cluster.
pub fn template(
    name: &str,
    namespace: &str,
    chart: &std::path::Path,
    values: &Value,
    api_versions: &[String],
    kube_version: Option<&str>,
) -> Invocation {
    let mut call = Invocation::new(Tool::Helm, ["template", name]).arg(chart.to_string_lossy()).args([
        "--namespace",
        namespace,
        "--values",
        "-",
        "--skip-tests",
    ]);
    for version in api_versions {
        call = call.args(["--api-versions", version]);
    }
    if let Some(version) = kube_version {
        call = call.args(["--kube-version", version]);
    }
    call.stdin(Stdin::Plain(values.to_string()))
}

/// What `helm upgrade -o json` says of the release it made.
#[derive(Debug)]
pub struct Upgraded {
    /// The revision.
    pub revision: u64,
    /// The manifest, hooks not included.
    pub manifest: String,
}

/// Reads the answer of `helm upgrade -o json`.
pub fn upgraded(stdout: &str) -> Option<Upgraded> {
    // helm 3 may print notes of dependencies before the document.
    let json = &stdout[stdout.find('{')?..];
    let release: Value = serde_json::from_str(json).ok()?;
    // A chart of hooks alone has no manifest, and helm leaves the key out.
    let manifest = release["manifest"].as_str().unwrap_or_default().to_owned();
    Some(Upgraded { revision: release["version"].as_u64()?, manifest })
}
