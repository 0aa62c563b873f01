//! Fields that another hand took over, and limits that an administrator set.

use serde_json::json;

use crate::cluster::{cluster, helm, kubectl, kubectl_with, objects, until};
use crate::stack::{SMALL, Stack, WITH_MLFLOW, assert_only};

fn replicas(stack: &Stack) -> u64 {
    objects(["deployment/mlflow", "--namespace", &stack.system()])[0]["spec"]["replicas"].as_u64().unwrap()
}

fn changed() -> String {
    format!("{WITH_MLFLOW}values: {{mlflow: {{podLabels: {{team: vision}}}}}}\n")
}

/// helm 4 applies server-side: it does not take a field back from `kubectl scale`, and says whose it is.
#[test]
fn a_scaled_deployment_is_a_conflict_that_names_the_other_manager() {
    let stack = Stack::new("scaled", WITH_MLFLOW);
    stack.up();
    kubectl(["scale", "deployment/mlflow", "--replicas=2", "--namespace", &stack.system()]);
    kubectl(["rollout", "status", "deployment/mlflow", "--namespace", &stack.system(), "--timeout=60s"]);
    // What works and was not changed is nobody's business.
    stack.up_is_unchanged();
    assert_eq!(replicas(&stack), 2);
    stack.configure(&changed());
    let ended = stack.run(&["up", "--yes", "--output", "json"]).code(1);
    let cause = ended.cause("mlflow");
    assert_eq!(cause["code"], "MLC124", "{ended}");
    let object = format!("Deployment/mlflow in {}: ", stack.system());
    for part in [&object[..], "\"kubectl\" with subresource \"scale\"", ".spec.replicas"] {
        assert!(cause["evidence"].as_str().unwrap().contains(part), "{part}: {ended}");
    }
    assert!(cause["fix"].as_str().unwrap().contains("forceConflicts: [mlflow]"), "{ended}");
    assert_eq!(replicas(&stack), 2, "a conflict changes nothing");
    // It was found before helm began.
    stack.assert_deployed(&["minio", "mlflow", "pg"]);
    // Where both want the same, there is none.
    kubectl(["scale", "deployment/mlflow", "--replicas=1", "--namespace", &stack.system()]);
    assert_only(&stack.up(), "upgraded", &["mlflow"]);
    stack.up_is_unchanged();
}

/// As the fix of the conflict says.
#[test]
fn a_release_that_may_take_fields_takes_a_scaled_deployment_back() {
    let stack = Stack::new("forced", WITH_MLFLOW);
    stack.up();
    kubectl(["scale", "deployment/mlflow", "--replicas=2", "--namespace", &stack.system()]);
    kubectl(["rollout", "status", "deployment/mlflow", "--namespace", &stack.system(), "--timeout=60s"]);
    // It is another release that may.
    stack.configure(&format!("{}forceConflicts: [pg]\n", changed()));
    assert_eq!(stack.run(&["up", "--yes", "--output", "json"]).code(1).cause("mlflow")["code"], "MLC124");
    assert_eq!(replicas(&stack), 2);
    stack.configure(&format!("{}forceConflicts: [mlflow]\n", changed()));
    assert_only(&stack.up(), "upgraded", &["mlflow"]);
    assert_eq!(replicas(&stack), 1);
    stack.up_is_unchanged();
}

/// helm 3 patches what changed between its manifests and the live object, and so takes the field back.
#[test]
fn helm_3_takes_a_scaled_deployment_back() {
    let stack = Stack::new("scaled-3", WITH_MLFLOW);
    stack.set_helm(&cluster().helm3);
    stack.up();
    kubectl(["scale", "deployment/mlflow", "--replicas=2", "--namespace", &stack.system()]);
    kubectl(["rollout", "status", "deployment/mlflow", "--namespace", &stack.system(), "--timeout=60s"]);
    stack.up_is_unchanged();
    stack.configure(&changed());
    assert_only(&stack.up(), "upgraded", &["mlflow"]);
    assert_eq!(replicas(&stack), 1);
    stack.up_is_unchanged();
}

/// The chart's own autoscaling leaves the number of replicas out, so that no change of the release touches it.
#[test]
fn an_autoscaler_of_the_chart_keeps_its_number() {
    let config = |team: &str| {
        let values = format!("{{autoscaling: {{enabled: true, minReplicas: 2}}, podLabels: {{team: {team}}}}}");
        format!("{WITH_MLFLOW}serving: {{enabled: true}}\nvalues: {{demo: {values}}}\n")
    };
    let stack = Stack::new("autoscaled", &config("vision"));
    stack.up();
    let prod = stack.prod();
    let number = ["get", "deployment/demo-fastapi-model-server", "-n", &prod, "-o", "jsonpath={.status.readyReplicas}"];
    until("the autoscaler has scaled", || kubectl(number) == "2");
    let manifest = helm(["get", "manifest", "demo", "--namespace", &prod]);
    assert!(manifest.contains("kind: HorizontalPodAutoscaler") && !manifest.contains("replicas:"), "{manifest}");
    stack.up_is_unchanged();
    stack.configure(&config("speech"));
    assert_only(&stack.up(), "upgraded", &["demo"]);
    assert_eq!(kubectl(number), "2");
    stack.up_is_unchanged();
}

#[test]
fn a_used_up_quota_is_named() {
    let stack = Stack::new("quota", SMALL);
    let system = stack.system();
    kubectl(["create", "namespace", &system]);
    let quota = json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "small"}, "spec": {"hard": {"pods": "1"}}});
    kubectl_with(["create", "-f", "-", "--namespace", &system], &quota);
    let ended = stack.run(&["up", "--yes", "--grace", "2", "--output", "json"]).code(1);
    let causes = [ended.cause("minio"), ended.cause("pg")].map(|cause| cause.to_string());
    let named = causes.iter().any(|it| it.contains("MLC108") && it.contains("exceeded quota: small"));
    assert!(named && causes.iter().any(|it| it.contains("kubectl describe resourcequota")), "{ended}");
    kubectl(["delete", "resourcequota/small", "--namespace", &system]);
    stack.up();
    stack.assert_deployed(&["minio", "pg"]);
}
