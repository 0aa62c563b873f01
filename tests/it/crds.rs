//! What happens to a CRD.

use mlopsctl::apply::{CrdVerdict, judge};
use serde_json::{Value, json};

fn crd(versions: &[&str]) -> Value {
    let versions: Vec<Value> = versions.iter().map(|version| json!({"name": version})).collect();
    json!({"kind": "CustomResourceDefinition", "metadata": {"name": "things.example"}, "spec": {"versions": versions}})
}

/// An installed CRD of ours, from a chart version, with stored versions.
fn ours(chart: &str, stored: &[&str]) -> Value {
    let mut crd = crd(stored);
    crd["metadata"]["labels"] = json!({"mlopsctl.dev/stack": "mlops", "mlopsctl.dev/chart-version": chart});
    crd["status"] = json!({"storedVersions": stored});
    crd
}

fn annotated(mut crd: Value, annotations: Value) -> Value {
    crd["metadata"]["annotations"] = annotations;
    crd
}

#[test]
fn each_crd_has_its_verdict() {
    let helm = json!({"meta.helm.sh/release-name": "kps", "meta.helm.sh/release-namespace": "cattle-monitoring"});
    let rancher = json!({"objectset.rio.cattle.io/owner-name": "helm-controller"});
    let foreign = |owner: &str| CrdVerdict::Foreign(owner.into());
    let table = [
        ("new", None, CrdVerdict::Apply),
        ("ours, same chart", Some(ours("1.2.0", &["v1"])), CrdVerdict::Apply),
        ("ours, older chart", Some(ours("1.1.9", &["v1"])), CrdVerdict::Apply),
        ("ours, newer chart", Some(ours("1.10.0", &["v1"])), CrdVerdict::Newer("1.10.0".into())),
        ("ours, newer chart with v", Some(ours("v2.0.0", &["v1"])), CrdVerdict::Newer("v2.0.0".into())),
        ("ours, a version nobody can read", Some(ours("latest", &["v1"])), CrdVerdict::Apply),
        (
            "of a helm release",
            Some(annotated(crd(&["v1"]), helm.clone())),
            foreign("helm release kps in cattle-monitoring"),
        ),
        (
            "of a helm release without namespace",
            Some(annotated(crd(&["v1"]), json!({"meta.helm.sh/release-name": "kps"}))),
            foreign("helm release kps in ?"),
        ),
        ("of K3s", Some(annotated(crd(&["v1"]), rancher)), foreign("helm-controller of K3s or Rancher")),
        ("of helm once, ours now", Some(annotated(ours("1.2.0", &["v1"]), helm)), CrdVerdict::Apply),
        ("applied by hand", Some(crd(&["v1"])), CrdVerdict::Apply),
        ("stored versions stay", Some(ours("1.0.0", &["v1", "v1beta1"])), CrdVerdict::Apply),
        (
            "stored versions would go",
            Some(ours("1.0.0", &["v1", "v1alpha1", "v1alpha2"])),
            CrdVerdict::DropsVersions(vec!["v1alpha1".into(), "v1alpha2".into()]),
        ),
        ("newer goes before what would be dropped", Some(ours("9.0.0", &["v2"])), CrdVerdict::Newer("9.0.0".into())),
    ];
    let wanted = crd(&["v1", "v1beta1"]);
    for (name, installed, expected) in table {
        assert_eq!(judge(&wanted, installed.as_ref(), "v1.2.0"), expected, "{name}");
    }
}
