//! What is said of fields that are right one by one but not together.

use crate::harness::{Project, snapshot};

fn problems(text: &str) -> String {
    Project::with(text).problems()
}

#[test]
fn the_namespaces_differ() {
    snapshot!(problems("namespaces: {system: ml, dev: ml}\n"), @r"
    mlops.yaml:2:1: two namespaces have the same name
      |
    2 | namespaces: {system: ml, dev: ml}
      | ^^^^^^^^^^ system, dev and prod must differ
    ");
    // The other one is the default.
    snapshot!(problems("namespaces:\n  dev: mlops-prod\n"), @r"
    mlops.yaml:2:1: two namespaces have the same name
      |
    2 | namespaces:
      | ^^^^^^^^^^ system, dev and prod must differ
    ");
}

#[test]
fn each_tls_mode_has_what_it_needs() {
    snapshot!(problems("domain: a.example\ningress: {tls: {mode: selfSigned}}\n"), @r"
    mlops.yaml:3:23: this mode needs cert-manager
      |
    3 | ingress: {tls: {mode: selfSigned}}
      |                       ^^^^^^^^^^ set `certManager.enabled: true`
    ");
    snapshot!(problems("domain: a.example\ningress: {tls: {mode: acme}}\n"), @r"
    mlops.yaml:3:23: this mode needs cert-manager
      |
    3 | ingress: {tls: {mode: acme}}
      |                       ^^^^ set `certManager.enabled: true`

    mlops.yaml:3:23: `acme` needs `ingress.tls.email`
      |
    3 | ingress: {tls: {mode: acme}}
      |                       ^^^^ give the address for expiry mails
    ");
    snapshot!(problems("domain: a.example\ningress: {tls: {mode: existing}}\n"), @r"
    mlops.yaml:3:23: `existing` needs `ingress.tls.secretName`
      |
    3 | ingress: {tls: {mode: existing}}
      |                       ^^^^^^^^ name a Secret with tls.crt and tls.key
    ");
    snapshot!(problems("ingress: {tls: {mode: existing, secretName: tls}}\n"), @r"
    mlops.yaml:2:23: TLS needs a `domain`
      |
    2 | ingress: {tls: {mode: existing, secretName: tls}}
      |                       ^^^^^^^^ set `domain`, or `mode: none`
    ");
}

#[test]
fn each_tls_mode_is_fine_with_what_it_needs() {
    for text in [
        "ingress: {tls: {mode: selfSigned}}\ncertManager: {enabled: true}\n",
        "ingress: {tls: {mode: acme, email: a@b.c}}\ncertManager: {enabled: true}\n",
        "ingress: {tls: {mode: existing, secretName: tls}}\n",
    ] {
        Project::with(&format!("domain: a.example\n{text}")).run(["config", "validate"]).success();
    }
}

#[test]
fn basic_auth_needs_an_ingress() {
    snapshot!(problems("ingress: {basicAuth: {enabled: true}}\n"), @r"
    mlops.yaml:2:32: basic auth needs a `domain`
      |
    2 | ingress: {basicAuth: {enabled: true}}
      |                                ^^^^ without one there is no ingress to protect
    ");
}

#[test]
fn an_external_provider_needs_its_place() {
    snapshot!(problems("objectStore: {provider: external}\ndatabase: {provider: external}\n"), @r"
    mlops.yaml:2:25: `external` needs `objectStore.external.endpoint`
      |
    2 | objectStore: {provider: external}
      |                         ^^^^^^^^ give the store's URL

    mlops.yaml:3:22: `external` needs `database.external.host`
      |
    3 | database: {provider: external}
      |                      ^^^^^^^^ give the server's host name
    ");
}

#[test]
fn serving_needs_the_registry() {
    snapshot!(problems("mlflow: {enabled: false}\nserving: {enabled: true}\n"), @r"
    mlops.yaml:3:20: serving needs MLflow, whose registry holds the models
      |
    3 | serving: {enabled: true}
      |                    ^^^^ set `mlflow.enabled: true`
    ");
}

#[test]
fn values_of_an_unknown_release_bring_the_one_that_was_meant() {
    snapshot!(problems("values:\n  monitorin: {a: 1}\n"), @r"
    mlops.yaml:3:3: `values` names the release `monitorin`, which does not exist
      |
    3 |   monitorin: {a: 1}
      |   ^^^^^^^^^ did you mean `monitoring`?
    ");
    snapshot!(problems("values: {airflow: {a: 1}}\n"), @r"
    mlops.yaml:2:10: `values` names the release `airflow`, which does not exist
      |
    2 | values: {airflow: {a: 1}}
      |          ^^^^^^^
    ");
}

#[test]
fn a_forced_release_that_is_unknown_brings_the_one_that_was_meant() {
    snapshot!(problems("forceConflicts: [minio, mlfow]\n"), @r"
    mlops.yaml:2:25: `forceConflicts` names the release `mlfow`, which does not exist
      |
    2 | forceConflicts: [minio, mlfow]
      |                         ^^^^^ did you mean `mlflow`?
    ");
    // Releases of one's own are known as well.
    let own = "forceConflicts: [a]\nreleases: [{name: a, chart: {name: minio}}]\n";
    Project::with(own).run(["config", "validate"]).success();
}

#[test]
fn own_releases_that_need_each_other_are_named_in_order() {
    let text = "releases:
  - {name: a, chart: {name: minio}, needs: [{release: b, until: ready, because: x}]}
  - {name: b, chart: {name: minio}, needs: [{release: c, until: ready, because: x}]}
  - {name: c, chart: {name: minio}, needs: [{release: a, until: ready, because: x}]}
";
    snapshot!(problems(text), @r"
    mlops.yaml:3:37: releases need each other: a → b → c → a
      |
    3 |   - {name: a, chart: {name: minio}, needs: [{release: b, until: ready, because: x}]}
      |                                     ^^^^^ take one of these needs out
    ");
    let text = "releases: [{name: a, chart: {name: minio}, needs: [{release: a, until: ready, because: x}]}]\n";
    snapshot!(problems(text), @r"
    mlops.yaml:2:44: releases need each other: a → a
      |
    2 | releases: [{name: a, chart: {name: minio}, needs: [{release: a, until: ready, because: x}]}]
      |                                            ^^^^^ take one of these needs out
    ");
}

#[test]
fn a_need_on_an_unknown_release_is_refused() {
    let text = "releases:\n  - {name: a, chart: {name: minio}, needs: [{release: zz, until: ready, because: x}]}\n";
    snapshot!(problems(text), @r"
    mlops.yaml:3:37: release `a` needs `zz`, which does not exist
      |
    3 |   - {name: a, chart: {name: minio}, needs: [{release: zz, until: ready, because: x}]}
      |                                     ^^^^^
    ");
}

#[test]
fn an_own_release_has_a_name_of_its_own() {
    snapshot!(problems("releases:\n  - name: minio\n    chart: {name: minio}\n"), @r"
    mlops.yaml:3:11: release `minio` is defined twice
      |
    3 |   - name: minio
      |           ^^^^^ choose another name
    ");
    let twice = "releases:\n  - {name: a, chart: {name: minio}}\n  - {name: a, chart: {name: minio}}\n";
    snapshot!(problems(twice), @r"
    mlops.yaml:4:12: release `a` is defined twice
      |
    4 |   - {name: a, chart: {name: minio}}
      |            ^ choose another name
    ");
}

#[test]
fn a_chart_of_a_repository_has_a_version() {
    snapshot!(problems("releases:\n  - name: a\n    chart: {name: x, repository: https://charts.example}\n"), @r"
    mlops.yaml:4:5: the chart of release `a` has a repository but no version
      |
    4 |     chart: {name: x, repository: https://charts.example}
      |     ^^^^^ add `version`
    ");
}

#[test]
fn a_condition_yields_true_or_false() {
    snapshot!(problems("releases:\n  - {name: a, when: \"'yes'\", chart: {name: minio}}\n"), @r#"
    mlops.yaml:3:21: `when` of `a` yields "yes", not true or false
      |
    3 |   - {name: a, when: "'yes'", chart: {name: minio}}
      |                     ^^^^^^^
    "#);
    snapshot!(problems("releases:\n  - {name: a, when: config.domain, chart: {name: minio}}\n"), @r#"
    mlops.yaml:3:21: `when` of `a` yields "", not true or false
      |
    3 |   - {name: a, when: config.domain, chart: {name: minio}}
      |                     ^^^^^^^^^^^^^
    "#);
}

#[test]
fn a_condition_that_fails_is_told_at_its_place() {
    snapshot!(problems("releases:\n  - {name: a, when: config.nothing.at.all, chart: {name: minio}}\n"), @r"
    mlops.yaml:3:21: `when` of `a` fails: undefined value
      |
    3 |   - {name: a, when: config.nothing.at.all, chart: {name: minio}}
      |                     ^^^^^^^^^^^^^^^^^^^^^
    ");
    snapshot!(problems("releases:\n  - {name: a, when: '1 +', chart: {name: minio}}\n"), @r"
    mlops.yaml:3:21: `when` of `a` fails: syntax error: unexpected end of input, expected expression
      |
    3 |   - {name: a, when: '1 +', chart: {name: minio}}
      |                     ^^^^^
    ");
}

#[test]
fn an_own_release_reads_secrets_that_exist() {
    snapshot!(problems("releases:\n  - {name: a, secrets: [nope], chart: {name: minio}}\n"), @r"
    mlops.yaml:3:15: release `a` reads the Secret `nope`, which does not exist
      |
    3 |   - {name: a, secrets: [nope], chart: {name: minio}}
      |               ^^^^^^^
    ");
}
