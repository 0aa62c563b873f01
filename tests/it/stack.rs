//! The stack that stands in `stack.yaml`.

use std::collections::{BTreeMap, BTreeSet};

use mlopsctl::stack::{ChartRef, Stack, StackSource, Until};

use crate::fixtures::{CONFIGS, catalog, names, stack, stacks};

fn needs(text: &str, release: &str) -> Vec<(String, Until)> {
    let stack = stack(text);
    let found = stack.releases.iter().find(|it| it.name == release).unwrap();
    found.needs.iter().map(|need| (need.release.clone(), need.until)).collect()
}

fn ready(names: &[&str]) -> Vec<(String, Until)> {
    names.iter().map(|name| ((*name).to_owned(), Until::Ready)).collect()
}

#[test]
fn every_need_says_why_in_words() {
    for release in &catalog().releases {
        for need in &release.needs {
            let words = need.because.split_whitespace().count();
            assert!(words >= 3, "{} needs {} because {:?}", release.name, need.release, need.because);
        }
    }
}

#[test]
fn every_name_in_the_catalog_leads_somewhere() {
    let catalog = catalog();
    let secrets: BTreeSet<&str> = catalog.secrets.iter().map(|secret| secret.name.as_str()).collect();
    let mut read = BTreeSet::new();
    for release in &catalog.releases {
        let name = &release.name;
        assert!(!release.title.is_empty(), "{name} has no title");
        let template = release.values.as_ref().unwrap_or_else(|| panic!("{name} has no values"));
        StackSource::Embedded.read(&format!("helm-values/{template}")).unwrap();
        assert_eq!(*template, format!("{}.yaml.j2", release.chart.name), "templates are named after their chart");
        assert!(release.secrets.iter().all(|secret| secrets.contains(secret.as_str())), "{name}");
        read.extend(release.secrets.iter().map(String::as_str));
        if let Some(login) = release.ui.as_ref().and_then(|ui| ui.login.as_ref()) {
            assert!(release.secrets.contains(login), "{name} logs in with {login}, which it does not read");
        }
        if release.chart.repository.is_none() {
            assert!(!StackSource::Embedded.chart_files(&release.chart.name).unwrap().is_empty(), "{name}");
        }
    }
    assert_eq!(read, secrets, "every Secret is read by some release");
}

#[test]
fn only_named_releases_take_fields_from_others() {
    let forced = |text: &str| -> Vec<String> {
        let releases = stack(text).releases.into_iter().filter(|release| release.force_conflicts);
        releases.map(|release| release.name).collect()
    };
    assert_eq!(forced(""), [""; 0]);
    assert_eq!(forced("forceConflicts: [mlflow]\n"), ["mlflow"]);
    let own = "releases: [{name: a, forceConflicts: true, chart: {name: minio}}, {name: b, chart: {name: minio}}]\n";
    assert_eq!(forced(own), ["a"]);
}

#[test]
fn what_is_upstream_is_pinned() {
    for (name, stack) in stacks() {
        for release in &stack.releases {
            if let ChartRef::Upstream { version, .. } = &release.chart {
                semver::Version::parse(version.trim_start_matches('v')).unwrap_or_else(|_| panic!("{name}: {version}"));
            }
        }
    }
}

#[test]
fn the_default_stack_is_small() {
    assert_eq!(names(&stack("")), ["monitoring", "pg", "minio", "loki", "alloy", "mlflow", "argo"]);
    assert_eq!(names(&stack("profile: edge\n")), names(&stack("")));
    let ha = ["monitoring", "cnpg", "pg-ha", "seaweedfs", "loki", "alloy", "mlflow", "argo"];
    assert_eq!(names(&stack("profile: ha\n")), ha);
}

#[test]
fn needs_follow_the_providers() {
    assert_eq!(needs("", "mlflow"), ready(&["pg", "minio"]));
    assert_eq!(needs("profile: ha\n", "mlflow"), ready(&["pg-ha", "seaweedfs"]));
    let external = CONFIGS.iter().find(|(name, _)| *name == "external providers").unwrap().1;
    assert_eq!(needs(external, "mlflow"), ready(&[]));
    assert_eq!(needs(external, "demo"), ready(&["mlflow"]));
    assert_eq!(needs("", "argo"), ready(&[]));
    assert_eq!(needs("workflows: {archive: true}\n", "argo"), ready(&["pg"]));
    assert_eq!(needs("", "loki"), ready(&[]), "a single Loki keeps its data on a volume");
    assert_eq!(needs("profile: ha\n", "loki"), ready(&["seaweedfs"]));
    assert_eq!(needs("", "alloy"), ready(&[]), "Alloy does not wait for Loki");
}

#[test]
fn a_need_on_a_release_that_is_off_is_replaced_by_its_own() {
    let own = "releases:
  - {name: top, chart: {name: minio}, needs: [{release: middle, until: applied, because: it reads its objects}]}
  - {name: middle, when: 'false', chart: {name: minio}, needs: [{release: mlflow, until: ready, because: of its API}]}
";
    assert_eq!(needs(own, "top"), ready(&["mlflow"]));
    let chain = format!("mlflow: {{enabled: false}}\n{own}");
    assert_eq!(needs(&chain, "top"), ready(&["pg", "minio"]));
}

#[test]
fn an_own_release_may_come_before_one_of_the_stack_by_its_own_needs_only() {
    let own = "releases: [{name: first, chart: {name: minio}}, {name: last, chart: {name: minio}, needs: [{release: argo, until: applied, because: of its CRDs}]}]\n";
    let stack = stack(own);
    let place = |name: &str| names(&stack).iter().position(|it| *it == name).unwrap();
    assert!(place("last") > place("argo"));
    assert!(names(&stack).contains(&"first"));
}

#[test]
fn values_of_the_file_are_merged_last_also_for_own_releases() {
    let text = "values: {monitoring: {grafana: {replicas: 7}}, own: {a: {c: 2}}}\nreleases: [{name: own, chart: {name: minio}}]\n";
    let (before, after) = (stack(""), stack(text));
    let values = |stack: &Stack, name: &str| stack.releases.iter().find(|it| it.name == name).unwrap().values.clone();
    let mut expected = values(&before, "monitoring");
    expected["grafana"]["replicas"] = 7.into();
    assert_eq!(values(&after, "monitoring"), expected);
    assert_eq!(values(&after, "own"), serde_json::json!({"a": {"c": 2}}));
}

/// Values for a release that is off are kept for the day it is on, not refused.
#[test]
fn values_of_a_release_that_is_off_are_fine() {
    assert!(!names(&stack("values: {demo: {replicas: 2}}\n")).contains(&"demo"));
}

#[test]
fn namespaces_have_a_security_level_each_and_own_ones_are_added() {
    let stack = stack("releases: [{name: web, namespace: shop, chart: {name: minio}}]\n");
    let levels: BTreeMap<&str, &str> = stack.namespaces.iter().map(|it| (it.name.as_str(), it.pod_security)).collect();
    let expected =
        [("mlops-system", "privileged"), ("mlops-dev", "baseline"), ("mlops-prod", "restricted"), ("shop", "baseline")];
    assert_eq!(levels, BTreeMap::from(expected));
    assert_eq!(stack.namespaces[0].name, "mlops-system", "the system namespace comes first");
}

#[test]
fn crds_are_switched_off_where_they_are_rendered() {
    for (name, stack) in stacks() {
        for release in &stack.releases {
            let Some(install) = release.crds.as_ref().and_then(|crds| crds.install.clone()) else { continue };
            for (key, value) in install {
                let inside = serde_json::json!({ key.clone(): value });
                let mut merged = release.values.clone();
                mlopsctl::render::merge(&mut merged, inside);
                assert_eq!(merged, release.values, "{name}: {} does not have {key}", release.name);
            }
        }
    }
}

#[test]
fn secrets_follow_the_config() {
    let made = |text: &str| -> Vec<String> { stack(text).secrets.iter().map(|it| it.name.clone()).collect() };
    assert_eq!(made(""), ["minio-root", "pg-superuser", "mlflow-s3", "argo-s3", "mlflow-db", "grafana-admin"]);
    let off = "mlflow: {enabled: false}\nworkflows: {enabled: false}\nmonitoring: {enabled: false}\nlogging: {enabled: false}\n";
    assert!(!made(off).contains(&"grafana-admin".to_owned()));
    assert!(made("serving: {enabled: true}\n").contains(&"serving-s3".to_owned()));
    assert!(made("workflows: {archive: true}\n").contains(&"argo-db".to_owned()));
}

#[test]
fn external_and_existing_secrets_are_never_made() {
    let must = |text: &str| -> Vec<String> {
        stack(text).secrets.into_iter().filter(|it| it.must_exist).map(|it| it.name).collect()
    };
    assert_eq!(must(""), Vec::<String>::new());
    let all: Vec<String> = stack("").secrets.into_iter().map(|it| it.name).collect();
    assert_eq!(must("credentials: {source: existing}\n"), all);
    assert_eq!(must("database: {provider: external, external: {host: db}}\n"), ["mlflow-db"]);
}

/// Dev and prod read copies; the administrators' Secrets stay where they are.
#[test]
fn only_consumers_have_copies() {
    for (name, stack) in stacks() {
        for secret in &stack.secrets {
            let root = ["minio-root", "pg-superuser", "grafana-admin", "mlflow-db"].contains(&secret.name.as_str());
            assert!(!root || secret.copies.is_empty(), "{name}: {} is copied to {:?}", secret.name, secret.copies);
        }
    }
}
