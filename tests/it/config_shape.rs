//! What is said of keys and values that do not fit the schema.

use crate::harness::{HEAD, Project, snapshot};

fn problems(text: &str) -> String {
    Project::with(text).problems()
}

#[test]
fn an_unknown_key_brings_the_name_that_was_meant() {
    snapshot!(problems("profil: laptop\n"), @r"
    mlops.yaml:2:1: unknown key `profil`
      |
    2 | profil: laptop
      | ^^^^^^ did you mean `profile`?
    ");
    snapshot!(problems("ingress: {tls: {secretname: x}}\n"), @r"
    mlops.yaml:2:17: unknown key `secretname` in `ingress.tls`
      |
    2 | ingress: {tls: {secretname: x}}
      |                 ^^^^^^^^^^ did you mean `secretName`?
    ");
}

#[test]
fn an_unknown_key_without_a_likeness_brings_all_names() {
    snapshot!(problems("database:\n  flavour: x\n"), @r"
    mlops.yaml:3:3: unknown key `flavour` in `database`
      |
    3 |   flavour: x
      |   ^^^^^^^ known: provider, size, instances, external
    ");
}

#[test]
fn a_wrong_type_names_what_is_wanted_and_what_is_there() {
    snapshot!(problems("domain: 5\n"), @r"
    mlops.yaml:2:9: `domain` must be a string, not an integer
      |
    2 | domain: 5
      |         ^ put it in quotes
    ");
    snapshot!(problems("mlflow: {enabled: \"true\"}\n"), @r#"
    mlops.yaml:2:19: `mlflow.enabled` must be true or false, not a string
      |
    2 | mlflow: {enabled: "true"}
      |                   ^^^^^^
    "#);
    snapshot!(problems("mlflow: {workers: 1.5}\n"), @r"
    mlops.yaml:2:19: `mlflow.workers` must be an integer, not a number
      |
    2 | mlflow: {workers: 1.5}
      |                   ^^^
    ");
    snapshot!(problems("mlflow: [enabled]\n"), @r"
    mlops.yaml:2:9: `mlflow` must be a mapping, not a list
      |
    2 | mlflow: [enabled]
      |         ^
    ");
    snapshot!(problems("cluster: {imagePullSecrets: regcred}\n"), @r"
    mlops.yaml:2:29: `cluster.imagePullSecrets` must be a list, not a string
      |
    2 | cluster: {imagePullSecrets: regcred}
      |                             ^^^^^^^
    ");
    snapshot!(problems("domain: null\n"), @r"
    mlops.yaml:2:9: `domain` must be a string, not null
      |
    2 | domain: null
      |         ^^^^ give a value or leave the key out
    ");
    snapshot!(problems("monitoring:\n"), @r"
    mlops.yaml:2:11: `monitoring` must be a mapping, not null
      |
    2 | monitoring:
      |           ^ give a value or leave the key out
    ");
    snapshot!(problems("values: []\n"), @r"
    mlops.yaml:2:9: `values` must be a mapping, not a list
      |
    2 | values: []
      |         ^
    ");
}

/// Where null means "the default", it may be written.
#[test]
fn null_is_fine_where_it_is_the_default() {
    let text = "cluster: {context: null, storageClass: ~, imageRegistry:}\nimages: {mlflow: null}\n";
    Project::with(text).run(["config", "validate"]).success();
}

#[test]
fn a_wrong_choice_brings_the_one_that_was_meant_or_all() {
    snapshot!(problems("profile: latpop\n"), @r"
    mlops.yaml:2:10: `profile` cannot be `latpop`
      |
    2 | profile: latpop
      |          ^^^^^^ did you mean `laptop`?
    ");
    snapshot!(problems("ingress: {tls: {mode: selfsigned}}\n"), @r"
    mlops.yaml:2:23: `ingress.tls.mode` cannot be `selfsigned`
      |
    2 | ingress: {tls: {mode: selfsigned}}
      |                       ^^^^^^^^^^ did you mean `selfSigned`?
    ");
    snapshot!(problems("credentials: {source: vault}\n"), @r"
    mlops.yaml:2:23: `credentials.source` cannot be `vault`
      |
    2 | credentials: {source: vault}
      |                       ^^^^^ one of `generate`, `prompt`, `existing`
    ");
    snapshot!(problems("profile: [laptop]\n"), @r#"
    mlops.yaml:2:10: `profile` cannot be `["laptop"]`
      |
    2 | profile: [laptop]
      |          ^ one of `laptop`, `edge`, `ha`
    "#);
}

/// In YAML 1.1 these words are booleans; whoever quotes nothing should learn it here, not from helm.
#[test]
fn a_bare_no_is_not_a_string() {
    snapshot!(problems("ingress: {className: no}\n"), @r"
    mlops.yaml:2:22: `ingress.className` must be a string, not a boolean
      |
    2 | ingress: {className: no}
      |                      ^^ put it in quotes
    ");
}

#[test]
fn a_missing_or_other_api_version_is_told() {
    let without = |text: &str| Project::new().file("mlops.yaml", text).problems();
    snapshot!(without("profile: laptop\n"), @r"
    mlops.yaml:1:1: missing key `apiVersion`
      |
    1 | profile: laptop
      | ^
    ");
    snapshot!(without("apiVersion: mlopsctl.dev/v1\n"), @r"
    mlops.yaml:1:13: `apiVersion` cannot be `mlopsctl.dev/v1`
      |
    1 | apiVersion: mlopsctl.dev/v1
      |             ^^^^^^^^^^^^^^^ one of `mlopsctl.dev/v1alpha1`
    ");
}

#[test]
fn a_name_that_kubernetes_would_refuse_is_told() {
    snapshot!(problems("namespaces: {system: MLOps_System}\n"), @r"
    mlops.yaml:2:22: `namespaces.system` cannot be `MLOps_System`
      |
    2 | namespaces: {system: MLOps_System}
      |                      ^^^^^^^^^^^^ must match ^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$
    ");
    snapshot!(problems("stackId: -x\n"), @r"
    mlops.yaml:2:10: `stackId` cannot be `-x`
      |
    2 | stackId: -x
      |          ^^ must match ^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$
    ");
    snapshot!(problems("domain: https://example.com\n"), @r"
    mlops.yaml:2:9: `domain` cannot be `https://example.com`
      |
    2 | domain: https://example.com
      |         ^^^^^^^^^^^^^^^^^^^ must match ^([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*)?$
    ");
    snapshot!(problems("releases: [{name: My.Release, chart: {name: x, path: ./x}}]\n"), @r"
    mlops.yaml:2:19: `releases.0.name` cannot be `My.Release`
      |
    2 | releases: [{name: My.Release, chart: {name: x, path: ./x}}]
      |                   ^^^^^^^^^^ must match ^[a-z0-9]([-a-z0-9]{0,51}[a-z0-9])?$
    ");
}

/// helm takes 53 characters, Kubernetes 63 for a namespace.
#[test]
fn names_may_be_as_long_as_helm_and_kubernetes_take() {
    for (text, length, good) in [
        ("namespaces: {system: @}\n", 63, true),
        ("namespaces: {system: @}\n", 64, false),
        ("releases: [{name: @, chart: {name: minio}}]\n", 53, true),
        ("releases: [{name: @, chart: {name: minio}}]\n", 54, false),
    ] {
        let outcome = Project::with(&text.replace('@', &"a".repeat(length))).run(["config", "validate"]);
        assert_eq!(outcome.code, Some(if good { 0 } else { 2 }), "{length} in {text}: {outcome}");
    }
}

#[test]
fn a_number_out_of_range_brings_the_range() {
    snapshot!(problems("database: {instances: 0}\n"), @r"
    mlops.yaml:2:23: `database.instances` must be from 1 to 9
      |
    2 | database: {instances: 0}
      |                       ^
    ");
    snapshot!(problems("serving: {replicas: 101}\n"), @r"
    mlops.yaml:2:21: `serving.replicas` must be from 1 to 100
      |
    2 | serving: {replicas: 101}
      |                     ^^^
    ");
    snapshot!(problems("database: {external: {port: 70000}}\n"), @r"
    mlops.yaml:2:29: `database.external.port` must be from 1 to 65535
      |
    2 | database: {external: {port: 70000}}
      |                             ^^^^^
    ");
    snapshot!(problems("mlflow: {workers: -1}\n"), @r"
    mlops.yaml:2:19: `mlflow.workers` must be from 1 to 32
      |
    2 | mlflow: {workers: -1}
      |                   ^^
    ");
}

#[test]
fn quantities_durations_and_uris_are_checked() {
    for text in [
        "objectStore: {size: 10 GB}\n",
        "objectStore: {size: -1Gi}\n",
        "monitoring: {retention: 7 days}\n",
        "logging: {retention: 7y}\n",
        "serving: {model: runs:/abc/model}\n",
        "serving: {model: \"models:/m\"}\n",
        "objectStore: {external: {endpoint: s3.example.com}}\n",
        "objectStore: {external: {endpoint: https://s3.example.com/path}}\n",
    ] {
        let said = problems(text);
        assert!(said.contains("must match"), "{text}: {said}");
    }
}

#[test]
fn all_problems_come_at_once_in_the_order_of_their_lines() {
    snapshot!(problems("serving: {replicas: 0}\nprofile: huge\nmlflow:\n  enabled: 1\n  wokers: 2\ndomain: 7\n"), @r"
    mlops.yaml:2:21: `serving.replicas` must be from 1 to 100
      |
    2 | serving: {replicas: 0}
      |                     ^

    mlops.yaml:3:10: `profile` cannot be `huge`
      |
    3 | profile: huge
      |          ^^^^ one of `laptop`, `edge`, `ha`

    mlops.yaml:5:12: `mlflow.enabled` must be true or false, not an integer
      |
    5 |   enabled: 1
      |            ^

    mlops.yaml:6:3: unknown key `wokers` in `mlflow`
      |
    6 |   wokers: 2
      |   ^^^^^^ did you mean `workers`?

    mlops.yaml:7:9: `domain` must be a string, not an integer
      |
    7 | domain: 7
      |         ^ put it in quotes
    ");
}

#[test]
fn problems_name_the_file_as_it_was_given() {
    let project = Project::new().file("etc/stack one.yaml", &format!("{HEAD}profil: x\n"));
    let outcome = project.run(["config", "validate", "--config", "etc/stack one.yaml"]);
    assert!(outcome.stderr.starts_with("etc/stack one.yaml:2:1: "), "{outcome}");
}

#[test]
fn a_release_of_ones_own_needs_a_name_and_a_chart() {
    snapshot!(problems("releases:\n  - title: x\n  - name: y\n    chart: {nam: z}\n"), @r"
    mlops.yaml:3:5: missing key `name` in `releases.0`
      |
    3 |   - title: x
      |     ^

    mlops.yaml:3:5: missing key `chart` in `releases.0`
      |
    3 |   - title: x
      |     ^

    mlops.yaml:4:11: `releases.1.name` must be a string, not a boolean
      |
    4 |   - name: y
      |           ^ put it in quotes

    mlops.yaml:5:12: missing key `name` in `releases.1.chart`
      |
    5 |     chart: {nam: z}
      |            ^

    mlops.yaml:5:13: unknown key `nam` in `releases.1.chart`
      |
    5 |     chart: {nam: z}
      |             ^^^ did you mean `name`?
    ");
}

#[test]
fn a_need_must_say_why() {
    let empty =
        "releases:\n  - name: x\n    chart: {name: minio}\n    needs: [{release: minio, until: ready, because: ''}]\n";
    snapshot!(problems(empty), @r"
    mlops.yaml:5:53: `releases.0.needs.0.because` must not be empty
      |
    5 |     needs: [{release: minio, until: ready, because: ''}]
      |                                                     ^^
    ");
    snapshot!(problems("releases:\n  - name: x\n    chart: {name: minio}\n    needs: [{release: minio, until: ready}]\n"), @r"
    mlops.yaml:5:13: missing key `because` in `releases.0.needs.0`
      |
    5 |     needs: [{release: minio, until: ready}]
      |             ^
    ");
}
