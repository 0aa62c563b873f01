//! The commands about images. Engines and k3s are stand-ins that note what they were asked for: no real one is to be had on
//! every machine, and what they do with a correct command line is theirs.

use std::collections::BTreeSet;
use std::path::Path;

use crate::harness::{Outcome, Project, package, snapshot};

/// Notes its arguments, and for `build` the files of the context, its last argument.
const ENGINE: &str = r#"echo "${0##*/} $*" >>"$NOTES"
if [ "$1" = build ]; then
  for last; do :; done
  cd "$last" && /usr/bin/find . -type f >>"$NOTES"
fi
echo "the engine's own words""#;

fn project(text: &str) -> Project {
    let project = Project::with(text);
    let notes = project.path("notes").to_string_lossy().into_owned();
    project.executable("docker", ENGINE).env("NOTES", &notes)
}

#[track_caller]
fn failed(project: &Project, args: &[&str]) -> Outcome {
    let outcome = project.run(["images"].iter().chain(args));
    assert_ne!(outcome.code, Some(0), "{outcome}");
    assert_eq!(outcome.stdout, "");
    outcome
}

#[test]
fn build_hands_the_whole_context_to_the_engine_and_nothing_else() {
    let project = project("");
    let outcome = project.run(["images", "build", "pipelines"]).success();
    snapshot!(outcome, @r"
    exit code: 0
    ----- stdout -----
    built docker.io/mlopsctl/pipelines:0.1.0

    ----- stderr -----
    building docker.io/mlopsctl/pipelines:0.1.0 with docker
    the engine's own words
    next: `mlopsctl images import` on a K3s node, or `mlopsctl images push` to a registry
    ");
    let notes = project.read("notes");
    let found: BTreeSet<&str> = notes.lines().filter_map(|line| line.strip_prefix("./")).collect();
    let mut wanted = BTreeSet::from([
        ".dockerignore".to_owned(),
        "Containerfile".to_owned(),
        "README.md".to_owned(),
        "pyproject.toml".to_owned(),
        "requirements-build.lock".to_owned(),
        "requirements.lock".to_owned(),
    ]);
    for entry in fs_err::read_dir(package("images/pipelines/src/mlops_pipelines")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if Path::new(&name).extension().is_some_and(|extension| extension == "py") || name == "py.typed" {
            wanted.insert(format!("src/mlops_pipelines/{name}"));
        }
    }
    assert_eq!(found, wanted.iter().map(String::as_str).collect());
}

#[test]
fn names_come_from_the_file() {
    let project =
        project("cluster: {imageRegistry: registry.example.com/mlops}\nimages: {serving: example.com/own/server:7}\n");
    let outcome = project.run(["images", "build", "--platform", "linux/arm64", "--output", "json"]).success();
    snapshot!(outcome.stdout, @r#"
    {
      "action": "built",
      "images": [
        "registry.example.com/mlops/mlopsctl/pipelines:0.1.0",
        "example.com/own/server:7"
      ]
    }
    "#);
    let notes = project.read("notes");
    let calls: Vec<&str> = notes.lines().filter(|line| line.starts_with("docker")).collect();
    snapshot!(calls.join("\n"), @r"
    docker build --tag registry.example.com/mlops/mlopsctl/pipelines:0.1.0 --file [TMP]/Containerfile --platform linux/arm64 [TMP]
    docker build --tag example.com/own/server:7 --file [TMP]/Containerfile --platform linux/arm64 [TMP]
    ");
    fs_err::remove_file(project.path("notes")).unwrap();
    project.run(["images", "push"]).success();
    snapshot!(project.read("notes"), @r"
    docker push registry.example.com/mlops/mlopsctl/pipelines:0.1.0
    docker push example.com/own/server:7
    ");
}

#[test]
fn nobody_else_pushes_to_our_name() {
    snapshot!(failed(&project(""), &["push", "serving"]), @r"
    exit code: 2
    ----- stdout -----

    ----- stderr -----
    error: docker.io/mlopsctl/serving-fastapi:0.1.0 is a name of this project, where nobody else can push
    hint: set `cluster.imageRegistry` (or `images.pipelines` and `images.serving`) to a registry of yours, then build and push
    ");
}

#[test]
fn import_needs_k3s() {
    snapshot!(failed(&project(""), &["import", "serving"]), @r"
    exit code: 3
    ----- stdout -----

    ----- stderr -----
    error: `k3s` is not on this machine, so there is no containerd to import into
    hint: run it on the K3s node, or push to a registry: set `cluster.imageRegistry`, then mlopsctl images build and push
    ");
    let project = project("").executable("k3s", ENGINE);
    project.run(["images", "import", "serving"]).success();
    snapshot!(project.read("notes"), @r"
    docker save --output [TMP]/image.tar docker.io/mlopsctl/serving-fastapi:0.1.0
    k3s ctr --namespace k8s.io images import [TMP]/image.tar
    ");
}

#[test]
fn root_is_asked_for_where_k3s_wants_it() {
    let project = project("").executable("k3s", "echo 'permission denied' >&2; exit 1").executable("sudo", ENGINE);
    snapshot!(failed(&project, &["import", "serving"]), @r"
    exit code: 1
    ----- stdout -----

    ----- stderr -----
    the engine's own words
    permission denied
    error: `k3s ctr --namespace k8s.io images import [TMP]/image.tar` failed with exit code 1
    hint: the engine's own words are above
    hint: K3s lets only root in: mlopsctl images import --sudo
    ");
    project.run(["images", "import", "serving", "--sudo"]).success();
    assert!(project.read("notes").contains("sudo k3s ctr --namespace k8s.io images import /"));
}

#[test]
fn each_engine_is_found_and_named() {
    snapshot!(failed(&Project::with(""), &["build"]), @r"
    exit code: 3
    ----- stdout -----

    ----- stderr -----
    error: neither docker, podman, nerdctl nor buildah was found on PATH
    hint: install one of them, or name it with --engine
    ");
    snapshot!(failed(&project(""), &["build", "--engine", "podman"]), @r"
    exit code: 3
    ----- stdout -----

    ----- stderr -----
    error: `podman` was not found on PATH
    hint: install podman, or name another with --engine
    ");
    snapshot!(failed(&project(""), &["build", "--engine", "kaniko"]), @r"
    exit code: 3
    ----- stdout -----

    ----- stderr -----
    error: `kaniko` is none of docker, podman, nerdctl and buildah
    hint: install one of them, or name it with --engine
    ");
    let project = project("").executable("buildah", ENGINE).executable("k3s", ENGINE);
    project.run(["images", "import", "pipelines", "--engine", "buildah"]).success();
    snapshot!(project.read("notes"), @r"
    buildah push docker.io/mlopsctl/pipelines:0.1.0 docker-archive:[TMP]/image.tar:docker.io/mlopsctl/pipelines:0.1.0
    k3s ctr --namespace k8s.io images import [TMP]/image.tar
    ");
}

#[test]
fn an_engine_that_fails_is_told_so() {
    let project = Project::with("").executable("podman", "echo 'no space left on device' >&2; exit 125");
    snapshot!(failed(&project, &["build", "serving"]), @r"
    exit code: 1
    ----- stdout -----

    ----- stderr -----
    building docker.io/mlopsctl/serving-fastapi:0.1.0 with podman
    no space left on device
    error: `podman build --tag docker.io/mlopsctl/serving-fastapi:0.1.0 --file [TMP]/Containerfile [TMP]` failed with exit code 125
    hint: the engine's own words are above
    ");
}

/// Charts, workflows and `stack.yaml` name an image each by itself.
#[test]
fn default_names_are_the_same_everywhere() {
    let notes = project("");
    let outcome = notes.run(["images", "build", "--output", "json"]).success().json();
    let names: Vec<&str> = outcome["images"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    let read = |path: &str| fs_err::read_to_string(package(path)).unwrap();
    for workflow in ["workflows/train-register.yaml", "workflows/drift-cron.yaml"] {
        assert!(read(workflow).contains(&format!("value: {}\n", names[0])), "{workflow}: {}", names[0]);
    }
    let (repository, tag) = names[1].strip_prefix("docker.io/").unwrap().split_once(':').unwrap();
    assert!(read("charts/fastapi-model-server/values.yaml").contains(&format!("repository: {repository}\n")));
    assert!(read("charts/fastapi-model-server/Chart.yaml").contains(&format!("appVersion: {tag}\n")));
}
