//! `diagnose`: causes at any time, and the support archive.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;

use serde_json::Value;

use crate::cluster::{helm, kubectl};
use crate::secrecy::contents;
use crate::stack::{SMALL, Stack, WITH_MLFLOW};

fn release<'a>(report: &'a Value, name: &str) -> &'a Value {
    report["releases"].as_array().unwrap().iter().find(|it| it["release"] == name).unwrap()
}

#[test]
fn causes_are_told_at_any_time() {
    let stack = Stack::new("diagnose", SMALL);
    let report = stack.run(&["diagnose", "--output", "json"]).code(4).json();
    assert_eq!(report["healthy"], false);
    assert_eq!(release(&report, "minio")["status"], "absent");
    stack.up();
    let ended = stack.run(&["diagnose"]).code(0);
    assert!(ended.stdout.contains("2 releases") && ended.stdout.contains("ready"), "{ended}");

    // Long after the run: a pod that is not let in any more, and a helm that was cut off.
    let system = stack.system();
    kubectl(["create", "quota", "none", "--hard=pods=0", "--namespace", &system]);
    kubectl(["delete", "pod/minio-0", "--namespace", &system]);
    helm(["rollback", "pg", "1", "--namespace", &system]);
    let newest = "sh.helm.release.v1.pg.v2";
    kubectl(["label", "secret", newest, "--overwrite", "status=pending-rollback", "--namespace", &system]);
    let started = std::time::Instant::now();
    let report = loop {
        let report = stack.run(&["diagnose", "--output", "json"]).code(4).json();
        if release(&report, "minio")["causes"][0].is_object() || started.elapsed().as_secs() > 30 {
            break report;
        }
    };
    let cause = &release(&report, "minio")["causes"][0];
    assert_eq!(cause["code"], "MLC108", "{report}");
    assert!(cause["evidence"].as_str().unwrap().contains("exceeded quota"), "{report}");
    assert_eq!(release(&report, "pg")["causes"][0]["code"], "MLC134", "{report}");
    let ended = stack.run(&["diagnose", "minio"]).code(4);
    for word in ["MLC108", "docs/causes/MLC108.md", "fix"] {
        assert!(ended.stdout.contains(word), "{word}: {ended}");
    }
    assert!(!ended.stdout.contains("MLC134"), "{ended}");
    kubectl(["delete", "quota/none", "--namespace", &system]);
    stack.run(&["diagnose", "nothing"]).code(2).says("minio");
    stack.up();
    stack.run(&["diagnose"]).code(0);
}

/// Returns the files of an archive.
fn unpacked(path: &std::path::Path) -> BTreeMap<String, String> {
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(File::open(path).unwrap()));
    let mut files = BTreeMap::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let name = entry.path().unwrap().display().to_string();
        let mut text = String::new();
        entry.read_to_string(&mut text).unwrap();
        files.insert(name, text);
    }
    files
}

#[test]
fn an_archive_holds_what_helps_and_no_secret() {
    let stack = Stack::new("archive", WITH_MLFLOW);
    stack.up();
    let (system, secrets) = (stack.system(), contents(&stack));
    assert!(secrets.len() >= 10, "{} values are too few", secrets.len());
    // A careless hand: a password in a ConfigMap, in the environment, and a Secret that was applied.
    let (_, password) = secrets.iter().find(|(name, _)| name.ends_with("pg-superuser password")).unwrap();
    kubectl([
        "create",
        "configmap",
        "careless",
        &format!("--from-literal=dsn=host=pg password={password}"),
        "-n",
        &system,
    ]);
    kubectl(["set", "env", "deployment/mlflow", "OTHER_PASSWORD=only-here-42", "--namespace", &system]);
    let path = stack.work().join("support.tar.gz");
    let ended = stack.run(&["diagnose", "--archive", "support.tar.gz"]);
    assert!([0, 4].contains(&ended.code), "{ended}");
    kubectl(["delete", "configmap/careless", "--namespace", &system]);
    let mode = std::os::unix::fs::PermissionsExt::mode(&path.metadata().unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    let files = unpacked(&path);
    for (name, text) in &files {
        for (secret, value) in &secrets {
            assert!(!text.contains(value.as_str()), "{secret} is in {name}");
        }
        assert!(!text.contains("only-here-42"), "{name}");
    }
    let has = |name: &str, word: &str| {
        let text = files.get(&format!("mlopsctl-support/{name}"));
        let text = text.unwrap_or_else(|| panic!("no {name} in {:?}", files.keys()));
        assert!(text.contains(word), "{name}: {text}");
    };
    has("versions.txt", "Kubernetes v1.");
    has("diagnosis.json", "healthy");
    has("config/mlops.yaml", &system);
    has("cluster/nodes.json", "sim-1");
    has("helm/mlflow.history.json", "deployed");
    has("helm/mlflow.manifest.json", "Deployment");
    has("helm/mlflow.values.json", "{");
    has(&format!("{system}/deployments.json"), "\"name\": \"mlflow\"");
    has(&format!("{system}/services.json"), "careless");
    has(&format!("{system}/services.json"), "***");
    has(&format!("{system}/events.json"), "Scheduled");
    has(&format!("{system}/secrets.txt"), "pg-superuser");
    assert!(files.keys().any(|name| name.contains("/logs/") && name.ends_with(".log")), "{:?}", files.keys());
}
