//! `config show`, `config schema`, and what goes before what.

use serde_json::json;

use crate::harness::{HEAD, Project, snapshot};

fn shown(text: &str) -> serde_json::Value {
    Project::with(text).run(["config", "show", "--output", "json"]).success().json()
}

#[test]
fn a_minimal_file_has_all_defaults() {
    snapshot!(Project::with("").run(["config", "show"]), @r#"
    exit code: 0
    ----- stdout -----
    apiVersion: mlopsctl.dev/v1alpha1
    stackId: mlops
    profile: laptop
    domain: ""
    cluster:
      context: null
      storageClass: null
      imageRegistry: null
      imagePullSecrets: []
      clusterDomain: cluster.local
    namespaces:
      system: mlops-system
      dev: mlops-dev
      prod: mlops-prod
    ingress:
      className: null
      annotations: {}
      tls:
        mode: none
        secretName: null
        email: null
      basicAuth:
        enabled: false
    credentials:
      source: generate
    images:
      mlflow: null
      pipelines: null
      serving: null
    objectStore:
      provider: minio
      size: 10Gi
      external:
        endpoint: null
        region: us-east-1
    database:
      provider: postgresql
      size: 5Gi
      instances: 1
      external:
        host: null
        port: 5432
        sslMode: prefer
    mlflow:
      enabled: true
      workers: 1
    workflows:
      enabled: true
      archive: false
    monitoring:
      enabled: true
      retention: 7d
      size: 5Gi
      alertmanager: false
    logging:
      enabled: true
      retention: 7d
      size: 5Gi
    serving:
      enabled: false
      model: models:/demo-model@champion
      replicas: 1
    certManager:
      enabled: false
    networkPolicies:
      enabled: false
    values: {}
    forceConflicts: []
    releases: []

    ----- stderr -----
    "#);
}

#[test]
fn what_is_shown_is_a_valid_file_with_the_same_meaning() {
    for text in
        ["", "profile: ha\n", "profile: edge\nlogging: {retention: 2d}\nvalues: {loki: {a: 'yes', b: '1.10'}}\n"]
    {
        let yaml = Project::with(text).run(["config", "show"]).success().stdout;
        let again = Project::new().file("mlops.yaml", &yaml).run(["config", "show", "--output", "json"]);
        assert_eq!(again.success().json(), shown(text), "{text}");
    }
}

#[test]
fn every_profile_is_valid_and_sets_its_defaults() {
    for (profile, pointer, value) in [
        ("laptop", "/objectStore/provider", json!("minio")),
        ("laptop", "/monitoring/alertmanager", json!(false)),
        ("edge", "/monitoring/retention", json!("3d")),
        ("edge", "/objectStore/provider", json!("minio")),
        ("ha", "/database/instances", json!(3)),
        ("ha", "/objectStore/provider", json!("seaweedfs")),
    ] {
        let text = format!("profile: {profile}\n");
        Project::with(&text).run(["config", "validate"]).success();
        assert_eq!(shown(&text).pointer(pointer), Some(&value), "{profile} {pointer}");
    }
}

#[test]
fn the_file_goes_before_the_profile() {
    let config = shown("profile: ha\ndatabase: {instances: 5}\nmonitoring: {alertmanager: false}\n");
    assert_eq!(
        config["database"],
        json!({"provider": "cloudnativePg", "size": "20Gi", "instances": 5, "external": {"host": null, "port": 5432, "sslMode": "prefer"}})
    );
    assert_eq!(config["monitoring"]["alertmanager"], false);
    assert_eq!(config["monitoring"]["retention"], "15d");
}

#[test]
fn the_flag_goes_before_the_environment_and_that_before_the_default() {
    let project = Project::with("domain: default.example\n")
        .file("env.yaml", &format!("{HEAD}domain: env.example\n"))
        .file("flag.yaml", &format!("{HEAD}domain: flag.example\n"));
    let domain = |project: &Project, args: &[&str]| {
        let args = ["config", "show", "--output", "json"].iter().chain(args);
        project.run(args).success().json()["domain"].clone()
    };
    assert_eq!(domain(&project, &[]), "default.example");
    let project = project.env("MLOPSCTL_CONFIG", "env.yaml");
    assert_eq!(domain(&project, &[]), "env.example");
    assert_eq!(domain(&project, &["--config", "flag.yaml"]), "flag.example");
    // A flag of all commands may stand before the command too.
    let outcome = project.run(["-c", "flag.yaml", "config", "show", "-o", "json"]);
    assert_eq!(outcome.success().json()["domain"], "flag.example");
}

#[test]
fn the_output_form_can_come_from_the_environment() {
    let outcome = Project::with("").env("MLOPSCTL_OUTPUT", "json").run(["config", "validate"]).success();
    assert_eq!(outcome.json()["valid"], true);
    assert_eq!(outcome.stderr, "");
}

#[test]
fn validate_names_the_number_of_releases_or_lists_them() {
    snapshot!(Project::with("").run(["config", "validate"]), @r"
    exit code: 0
    ----- stdout -----

    ----- stderr -----
    mlops.yaml is valid: 7 releases
    ");
    snapshot!(Project::with("").run(["config", "validate", "--output", "json"]), @r#"
    exit code: 0
    ----- stdout -----
    {
      "valid": true,
      "releases": [
        "monitoring",
        "pg",
        "minio",
        "loki",
        "alloy",
        "mlflow",
        "argo"
      ]
    }

    ----- stderr -----
    "#);
    snapshot!(Project::with("").run(["config", "validate", "--output", "ndjson"]), @r#"
    exit code: 0
    ----- stdout -----
    {"valid":true,"releases":["monitoring","pg","minio","loki","alloy","mlflow","argo"]}

    ----- stderr -----
    "#);
    snapshot!(Project::with("").run(["config", "validate", "--quiet"]), @r"
    exit code: 0
    ----- stdout -----

    ----- stderr -----
    ");
}

#[test]
fn the_schema_is_json_and_describes_every_field() {
    let schema = Project::new().run(["config", "schema"]).success().json();
    assert_eq!(schema["type"], "object");
    assert_eq!(schema["additionalProperties"], false);
    assert_eq!(schema["required"], json!(["apiVersion"]));
    let definitions = schema["$defs"].as_object().unwrap().values();
    for object in std::iter::once(&schema).chain(definitions) {
        for (name, property) in object["properties"].as_object().into_iter().flatten() {
            assert!(property["description"].is_string(), "{name} has no description");
        }
    }
}

/// The schema is what editors check with; its defaults must be those of the program.
#[test]
fn the_schema_knows_every_field_that_is_shown() {
    let schema = Project::new().run(["config", "schema"]).success().json();
    let known = schema["properties"].as_object().unwrap();
    let config = shown("");
    let missing: Vec<&String> = config.as_object().unwrap().keys().filter(|key| !known.contains_key(*key)).collect();
    assert_eq!(missing, Vec::<&String>::new());
    assert_eq!(known.len(), config.as_object().unwrap().len());
}

#[test]
fn unknown_words_on_the_command_line_end_with_2() {
    for args in [&["confg"][..], &["config"], &["config", "shw"], &["config", "show", "--outptu", "json"], &[]] {
        let outcome = Project::with("").run(args);
        assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(2), ""), "{args:?}: {outcome}");
    }
}
