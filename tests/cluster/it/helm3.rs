//! The same with helm 3, and with both in turns.

use crate::acceptance::{ALL, everything_is_ready};
use crate::cluster::{cluster, helm, objects};
use crate::stack::{Stack, assert_only};

#[test]
fn helm_3_and_helm_4_take_turns() {
    let stack = Stack::with_crds("turns", "");
    stack.set_helm(&cluster().helm3);
    assert_only(&stack.up(), "installed", &ALL);
    stack.assert_deployed(&ALL);
    everything_is_ready(&stack);
    for release in ALL {
        let selector = format!("owner=helm,name={release},version=1");
        let labels =
            &objects(["secrets", "--namespace", &stack.system(), "--selector", &selector])[0]["metadata"]["labels"];
        assert_eq!(labels["mlopsctl.dev/revision"], "1", "{labels}");
        assert_eq!(labels["mlopsctl.dev/digest"].as_str().unwrap().len(), 40, "{labels}");
    }
    stack.up_is_unchanged();
    stack.configure("values: {minio: {podLabels: {team: vision}}}\n");
    assert_only(&stack.up(), "upgraded", &["minio"]);

    stack.set_helm(&cluster().helm);
    stack.up_is_unchanged();
    let of_all = |label: &str| format!("values: {{minio: {label}, pg: {label}, mlflow: {label}}}\n");
    stack.configure(&of_all("{podLabels: {team: robots}}"));
    assert_only(&stack.up(), "upgraded", &["minio", "mlflow", "pg"]);
    stack.up_is_unchanged();

    stack.set_helm(&cluster().helm3);
    stack.up_is_unchanged();
    stack.configure(&of_all("{podLabels: {team: speech}}"));
    assert_only(&stack.up(), "upgraded", &["minio", "mlflow", "pg"]);
    let pods = objects(["statefulset/minio", "--namespace", &stack.system()]);
    assert_eq!(pods[0]["spec"]["template"]["metadata"]["labels"]["team"], "speech");
    stack.up_is_unchanged();
    assert_eq!(helm(["history", "minio", "-n", &stack.system(), "-o", "json"]).matches("\"revision\"").count(), 4);
}
