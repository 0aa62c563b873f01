//! `init`, without a terminal, tools or a cluster.

use crate::harness::{Project, snapshot};

fn values_of(project: &Project, file: &str) -> serde_json::Value {
    project.run(["config", "show", "--config", file, "--output", "json"]).success().json()
}

#[test]
fn it_writes_a_commented_file_with_every_default() {
    let project = Project::new();
    snapshot!(project.run(["init", "--yes"]), @r"
    exit code: 0
    ----- stdout -----

    ----- stderr -----
    wrote mlops.yaml; `mlopsctl plan` shows what it means, `mlopsctl up` does it
    ");
    snapshot!(project.read("mlops.yaml"), @r#"
    # yaml-language-server: $schema=mlops.schema.json
    # The whole stack in one file; `mlopsctl up` makes the cluster match it. Everything below may be left out: what is not
    # here has its default. `mlopsctl config schema > mlops.schema.json` gives editors completion and checks.
    apiVersion: mlopsctl.dev/v1alpha1
    stackId: "mlops-[ID]"  # tells this stack from others; a cluster with another id is left alone
    profile: "laptop"  # laptop | edge | ha
    domain: ""  # mlflow.DOMAIN, minio.DOMAIN, grafana.DOMAIN, argo.DOMAIN; empty: port-forward

    cluster:
      context: null  # kube-context; null: the current one
      storageClass: null  # null: the cluster's default
      imageRegistry: null  # a mirror for all images
      imagePullSecrets: []

    namespaces: {system: mlops-system, dev: mlops-dev, prod: mlops-prod}

    ingress:
      className: null  # null: the cluster's default
      tls: {mode: "none", email: null, secretName: null}  # none | selfSigned | acme | existing
      basicAuth: {enabled: false}  # a password before MLflow

    credentials: {source: "generate"}  # generate | prompt | existing; an existing Secret is always kept
    images: {mlflow: null, pipelines: null, serving: null}

    objectStore: {provider: minio, size: 10Gi}  # minio | seaweedfs | external
    database: {provider: postgresql, size: 5Gi}  # postgresql | cloudnativePg | external
    monitoring: {enabled: true, retention: 7d, size: 5Gi, alertmanager: false}
    logging: {enabled: true, retention: 7d, size: 5Gi}
    mlflow: {enabled: true, workers: 1}
    workflows: {enabled: true, archive: false}
    serving: {enabled: false, model: "models:/demo-model@champion"}  # switch on once a model is in the registry
    certManager: {enabled: false}
    networkPolicies: {enabled: false}

    # Raw helm values per release, merged last:
    # values: {monitoring: {grafana: {replicas: 1}}}
    # Releases that take fields back from other managers, such as `kubectl scale`; else that is a conflict, and named (helm 4):
    # forceConflicts: [mlflow]
    # Releases of your own, in the form of stack.yaml:
    # releases:
    #   - name: registry
    #     chart: {name: docker-registry, version: 2.3.0, repository: https://example.com/charts}
    "#);
}

#[test]
fn what_it_writes_is_valid_whatever_the_profile() {
    for profile in ["laptop", "edge", "ha"] {
        let project = Project::new();
        project.run(["init", "--yes", "--profile", profile]).success();
        project.run(["config", "validate"]).success();
    }
}

/// The file repeats the defaults for the reader; it must not change them.
#[test]
fn what_it_writes_means_the_same_as_a_minimal_file() {
    for profile in ["laptop", "edge", "ha"] {
        let project = Project::new();
        project.run(["init", "--yes", "--profile", profile]).success();
        let mut written = values_of(&project, "mlops.yaml");
        let minimal = Project::with(&format!("profile: {profile}\n"));
        written["stackId"] = "mlops".into();
        assert_eq!(written, values_of(&minimal, "mlops.yaml"), "{profile}");
    }
}

#[test]
fn values_and_releases_are_comments() {
    for profile in ["laptop", "edge", "ha"] {
        let project = Project::new();
        project.run(["init", "--yes", "--profile", profile]).success();
        let text = project.read("mlops.yaml");
        for key in ["values:", "releases:"] {
            assert!(text.lines().any(|line| line.starts_with(&format!("# {key}"))), "{key} is no comment: {text}");
            assert!(!text.lines().any(|line| line.starts_with(key)), "{key} is in force: {text}");
        }
    }
}

/// The commented examples are what people uncomment first.
#[test]
fn the_commented_examples_work_when_uncommented() {
    let project = Project::new();
    project.run(["init", "--yes"]).success();
    let text = project.read("mlops.yaml");
    let (before, examples) = text.split_once("# Raw helm values per release").unwrap();
    let examples: Vec<&str> = examples
        .lines()
        .skip(1)
        .filter(|line| !line.starts_with("# Releases "))
        .map(|line| line.strip_prefix("# ").unwrap_or(line))
        .collect();
    let project = Project::new().file("mlops.yaml", &format!("{before}{}\n", examples.join("\n")));
    let config = values_of(&project, "mlops.yaml");
    assert_eq!(config["values"]["monitoring"]["grafana"]["replicas"], 1);
    assert_eq!(config["releases"][0]["name"], "registry");
    project.run(["config", "validate"]).success();
}

#[test]
fn every_stack_gets_an_id_of_its_own() {
    let project = Project::new();
    project.run(["init", "--yes", "--config", "a.yaml"]).success();
    project.run(["init", "--yes", "--config", "b.yaml"]).success();
    let (a, b) = (values_of(&project, "a.yaml"), values_of(&project, "b.yaml"));
    assert_ne!(a["stackId"], b["stackId"]);
}

#[test]
fn it_makes_the_folder_of_the_file() {
    let project = Project::new();
    project.run(["init", "--yes", "--config", "new/folder/stack.yaml"]).success();
    project.run(["config", "validate", "--config", "new/folder/stack.yaml"]).success();
}

#[test]
fn an_existing_file_is_kept_unless_forced() {
    let project = Project::with("domain: kept.example\n");
    snapshot!(project.run(["init", "--yes"]), @r"
    exit code: 2
    ----- stdout -----

    ----- stderr -----
    error: mlops.yaml exists
    hint: --force replaces it, --config FILE writes another
    ");
    assert_eq!(values_of(&project, "mlops.yaml")["domain"], "kept.example");
    project.run(["init", "--yes", "--force"]).success();
    assert_eq!(values_of(&project, "mlops.yaml")["domain"], "");
}

#[test]
fn without_a_terminal_it_asks_nothing_and_writes_nothing() {
    let project = Project::new();
    snapshot!(project.run(["init"]), @r"
    exit code: 2
    ----- stdout -----

    ----- stderr -----
    error: no terminal to ask on
    hint: --yes takes the defaults; every answer is also a flag
    ");
    assert!(!project.path("mlops.yaml").exists());
}

#[test]
fn install_refuses_to_ask_without_a_terminal_too() {
    let project = Project::new();
    snapshot!(project.run(["install"]), @r"
    exit code: 2
    ----- stdout -----

    ----- stderr -----
    error: no terminal to ask on
    hint: --yes takes the defaults; every answer is also a flag
    ");
    assert!(!project.path("mlops.yaml").exists());
}

#[test]
fn every_answer_is_a_flag() {
    for (flags, pointer, value) in [
        ("--profile ha", "/profile", "ha"),
        ("--domain ml.example.com", "/domain", "ml.example.com"),
        ("--domain a.b --ingress-class nginx", "/ingress/className", "nginx"),
        ("--domain a.b --tls selfSigned", "/ingress/tls/mode", "selfSigned"),
        ("--domain a.b --tls acme --email ops@a.b", "/ingress/tls/email", "ops@a.b"),
        ("--domain a.b --tls existing --tls-secret cert", "/ingress/tls/secretName", "cert"),
        ("--credentials existing", "/credentials/source", "existing"),
        ("--context k3s-home", "/cluster/context", "k3s-home"),
    ] {
        let project = Project::new().real("kubectl").real("helm");
        project.run(["init", "--yes"].into_iter().chain(flags.split(' '))).success();
        let config = values_of(&project, "mlops.yaml");
        assert_eq!(config.pointer(pointer).and_then(|found| found.as_str()), Some(value), "{flags}");
    }
}

#[test]
fn modes_that_need_cert_manager_switch_it_on() {
    for (mode, on) in
        [("selfSigned", true), ("acme --email a@b.c", true), ("existing --tls-secret x", false), ("none", false)]
    {
        let project = Project::new();
        let flags = format!("init --yes --domain a.b --tls {mode}");
        project.run(flags.split(' ')).success();
        assert_eq!(values_of(&project, "mlops.yaml")["certManager"]["enabled"], on, "{mode}");
    }
}

/// An answer is data: nothing in it can add a line to the file.
#[test]
fn an_answer_cannot_break_out_of_its_place() {
    let project = Project::new();
    let class = "a\nvalues: {minio: {x: 1}}  # \"'";
    project.run(["init", "--yes", "--ingress-class", class]).success();
    let config = values_of(&project, "mlops.yaml");
    assert_eq!(config["ingress"]["className"], class);
    assert_eq!(config["values"], serde_json::json!({}));
}

#[test]
fn a_wrong_answer_is_told_as_a_problem_of_the_file_and_nothing_is_written() {
    for (flags, said) in [
        ("--profile huge", "`profile` cannot be `huge`"),
        ("--tls letsencrypt --domain a.b", "`ingress.tls.mode` cannot be `letsencrypt`"),
        ("--credentials vault", "`credentials.source` cannot be `vault`"),
        ("--domain Not_A_Domain", "`domain` cannot be `Not_A_Domain`"),
        ("--tls acme --domain a.b", "`acme` needs `ingress.tls.email`"),
        ("--tls existing --domain a.b", "`existing` needs `ingress.tls.secretName`"),
        ("--tls selfSigned", "TLS needs a `domain`"),
    ] {
        let project = Project::new();
        let outcome = project.run(["init", "--yes"].into_iter().chain(flags.split(' ')));
        assert_eq!(outcome.code, Some(2), "{flags}: {outcome}");
        assert!(outcome.stderr.starts_with("mlops.yaml:") && outcome.stderr.contains(said), "{flags}: {outcome}");
        assert!(!project.path("mlops.yaml").exists(), "{flags}");
    }
}

#[test]
fn the_current_context_is_written_into_the_file() {
    let kubeconfig =
        "apiVersion: v1\nkind: Config\ncurrent-context: box\ncontexts: [{name: box, context: {cluster: c, user: u}}]\n";
    let project = Project::new().real("kubectl").real("helm").file("kubeconfig", kubeconfig);
    project.run(["init", "--yes", "--kubeconfig", "kubeconfig"]).success();
    assert_eq!(values_of(&project, "mlops.yaml")["cluster"]["context"], "box");
}
