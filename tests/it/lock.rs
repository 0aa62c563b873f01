//! `mlops.lock`: as a type, and by `mlopsctl lock --charts DIR`, which needs neither network nor cluster.

use mlopsctl::chart::{LOCK_FILE, Lock, LockEntry, LockError};

use crate::harness::{Project, package, snapshot};

fn entry(name: &str, source: &str, digest: &str) -> LockEntry {
    LockEntry { name: name.into(), version: "1.0.0".into(), source: source.into(), digest: digest.into() }
}

#[test]
fn a_missing_file_is_an_empty_lock() {
    let folder = tempfile::tempdir().unwrap();
    assert!(Lock::read(&folder.path().join(LOCK_FILE)).unwrap().entries().is_empty());
}

#[test]
fn what_is_written_is_read_again_sorted_and_replaces_the_old_file_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(LOCK_FILE);
    fs_err::write(&path, "charts: []\n").unwrap();
    let mut lock = Lock::read(&path).unwrap();
    for name in ["loki", "alloy", "cert-manager"] {
        assert!(lock.check(&path, entry(name, "directory", "sha256:1")).unwrap(), "{name} is new");
    }
    lock.write(&path).unwrap();
    let again = Lock::read(&path).unwrap();
    let names: Vec<&str> = again.entries().iter().map(|entry| entry.name.as_str()).collect();
    assert_eq!(names, ["alloy", "cert-manager", "loki"]);
    assert_eq!(fs_err::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
}

#[test]
fn a_known_chart_must_have_the_locked_digest() {
    let path = std::path::Path::new("x/mlops.lock");
    let mut lock = Lock::default();
    assert!(lock.check(path, entry("loki", "directory", "sha256:1")).unwrap());
    assert!(!lock.check(path, entry("loki", "directory", "sha256:1")).unwrap());
    let error = lock.check(path, entry("loki", "directory", "sha256:2")).unwrap_err();
    snapshot!(error, @"chart loki 1.0.0 from directory has sha256:2, but x/mlops.lock has sha256:1");
    assert!(matches!(error, LockError::Differs { .. }));
}

/// The same chart from a mirror may be packed in another way.
#[test]
fn each_source_has_a_digest_of_its_own() {
    let path = std::path::Path::new("mlops.lock");
    let mut lock = Lock::default();
    lock.check(path, entry("loki", "directory", "sha256:1")).unwrap();
    assert!(lock.check(path, entry("loki", "https://charts.example", "sha256:2")).unwrap());
    assert_eq!(lock.entries().len(), 2);
}

#[test]
fn renewing_replaces_one_entry() {
    let path = std::path::Path::new("mlops.lock");
    let mut lock = Lock::default();
    lock.check(path, entry("alloy", "directory", "sha256:1")).unwrap();
    lock.check(path, entry("loki", "directory", "sha256:1")).unwrap();
    lock.renew(entry("loki", "directory", "sha256:2"));
    let digests: Vec<(&str, &str)> = lock.entries().iter().map(|it| (it.name.as_str(), it.digest.as_str())).collect();
    assert_eq!(digests, [("alloy", "sha256:1"), ("loki", "sha256:2")]);
}

#[test]
fn a_file_that_is_no_lock_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(LOCK_FILE);
    for text in ["charts: 5\n", "chart: []\n", "charts: [{name: x}]\n", "<<<<<<< HEAD\n"] {
        fs_err::write(&path, text).unwrap();
        let error = Lock::read(&path).unwrap_err().to_string();
        assert!(error.starts_with(path.to_str().unwrap()), "{text:?}: {error}");
    }
}

/// A project whose one upstream release has its chart in the folder `charts`.
fn project() -> Project {
    let off = "monitoring: {enabled: false}\nlogging: {enabled: false}\nworkflows: {enabled: false}\n";
    let own = "releases: [{name: web, chart: {name: web, version: 1.2.3, repository: https://charts.example}}]\n";
    chart(Project::with(&format!("{off}{own}")).real("helm").real("kubectl"), "image: a\n")
}

fn chart(project: Project, values: &str) -> Project {
    project
        .file("charts/web/Chart.yaml", "apiVersion: v2\nname: web\nversion: 1.2.3\n")
        .file("charts/web/values.yaml", values)
}

#[test]
fn lock_records_what_the_folder_holds() {
    let project = project();
    snapshot!(project.run(["lock", "--charts", "charts"]), @r"
    exit code: 0
    ----- stdout -----

    ----- stderr -----
    mlops.lock holds 1 chart
    ");
    snapshot!(project.read(LOCK_FILE), @r#"
    # Digests of the charts, written by mlopsctl. Commit this file; `mlopsctl lock --update` renews it.
    charts:
    - name: web
      version: "1.2.3"
      source: directory
      digest: sha256:[DIGEST]
    "#);
}

#[test]
fn a_changed_chart_is_refused_until_the_lock_is_renewed() {
    let project = project();
    project.run(["lock", "--charts", "charts"]).success();
    let locked = project.read(LOCK_FILE);
    let project = chart(project, "image: b\n");
    snapshot!(project.run(["lock", "--charts", "charts"]), @r"
    exit code: 3
    ----- stdout -----

    ----- stderr -----
    error: MLC207 chart web 1.2.3 from directory has sha256:[DIGEST], but mlops.lock has sha256:[DIGEST]
    hint: if the new chart is wanted: mlopsctl lock --update
    ");
    assert_eq!(project.read(LOCK_FILE), locked, "a refusal changes nothing");
    project.run(["lock", "--charts", "charts", "--update"]).success();
    assert_ne!(project.read(LOCK_FILE), locked);
    project.run(["lock", "--charts", "charts"]).success();
}

#[test]
fn a_chart_that_the_folder_lacks_is_named_with_the_file_to_put_there() {
    let project = project();
    fs_err::remove_dir_all(project.path("charts/web")).unwrap();
    snapshot!(project.run(["lock", "--charts", "charts"]), @r"
    exit code: 3
    ----- stdout -----

    ----- stderr -----
    error: MLC206 charts holds no chart web 1.2.3
    hint: put web-1.2.3.tgz into charts
    ");
}

#[test]
fn a_chart_of_another_version_does_not_count() {
    let project = project().file("charts/web/Chart.yaml", "apiVersion: v2\nname: web\nversion: 1.2.4\n");
    let outcome = project.run(["lock", "--charts", "charts"]);
    assert_eq!(outcome.code, Some(3));
    assert!(outcome.stderr.contains("holds no chart web 1.2.3"), "{outcome}");
}

/// The charts of the tests stand for those of `stack.yaml`, so their versions must be the pinned ones.
#[test]
fn the_test_charts_are_those_that_the_stack_pins() {
    for text in ["", "profile: ha\n", "domain: a.b\ningress: {tls: {mode: selfSigned}}\ncertManager: {enabled: true}\n"]
    {
        let project = Project::with(text).real("helm").real("kubectl");
        project.run(["lock", "--charts", package("tests/charts").to_str().unwrap()]).success();
    }
}

#[test]
fn a_lock_that_git_could_not_merge_is_refused() {
    let project = project().file(LOCK_FILE, "<<<<<<< HEAD\ncharts: []\n=======\n");
    let outcome = project.run(["lock", "--charts", "charts"]);
    assert_eq!(outcome.code, Some(3), "{outcome}");
    assert!(outcome.stderr.starts_with("error: mlops.lock: "), "{outcome}");
}
