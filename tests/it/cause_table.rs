//! Objects that show each cause. The texts are those of a kubelet, a scheduler and controllers of Kubernetes 1.3x.

use serde_json::{Value, json};

pub(crate) const POD: &str = "mlflow-5d9c7b6f4-x2x9q";

pub(crate) fn pod(owner: &str, owner_name: &str, status: Value) -> Value {
    json!({
        "kind": "Pod",
        "metadata": {"name": POD, "namespace": "mlops-system", "ownerReferences": [{"kind": owner, "name": owner_name}]},
        "status": status,
    })
}

/// A pod of the Deployment `mlflow`.
pub(crate) fn ours(status: Value) -> Value {
    pod("ReplicaSet", "mlflow-5d9c7b6f4", status)
}

pub(crate) fn waiting(reason: &str, message: &str) -> Value {
    ours(
        json!({"containerStatuses": [{"name": "server", "state": {"waiting": {"reason": reason, "message": message}}}]}),
    )
}

pub(crate) fn unscheduled(message: &str) -> Value {
    ours(
        json!({"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}]}),
    )
}

/// A warning about a pod, the ReplicaSet or the Deployment, told apart by their names.
pub(crate) fn event(about: &str, reason: &str, message: &str) -> Value {
    let kind = match about.matches('-').count() {
        0 => "Deployment",
        1 => "ReplicaSet",
        _ => "Pod",
    };
    let about = json!({"kind": kind, "namespace": "mlops-system", "name": about});
    json!({"kind": "Event", "type": "Warning", "reason": reason, "message": message, "involvedObject": about})
}

/// What the API server says of a pod that a ReplicaSet is to make.
fn refused(message: &str) -> Vec<Value> {
    vec![event("mlflow-5d9c7b6f4", "FailedCreate", &format!("Error creating: {message}"))]
}

pub(crate) const TAINTED: &str = "0/1 nodes are available: 1 node(s) had untolerated taint(s).";

pub(crate) fn node(condition: &str, status: &str) -> Value {
    let ready = json!({"type": "Ready", "status": "True"});
    json!({
        "kind": "Node",
        "metadata": {"name": "edge-1"},
        "status": {"conditions": [{"type": condition, "status": status, "reason": "Kubelet", "message": "is told"}, ready]},
    })
}

fn with_claim() -> Value {
    let mut pod = unscheduled("0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims.");
    pod["spec"] = json!({"volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]});
    pod
}

/// A pod that is deleted.
pub(crate) fn leaving(finalizers: &[&str]) -> Value {
    let mut pod = ours(json!({}));
    pod["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
    pod["metadata"]["finalizers"] = json!(finalizers);
    pod
}

/// Every code with objects that show it.
pub(crate) fn table() -> Vec<(&'static str, Vec<Value>)> {
    let mut rows = usual();
    rows.extend(further());
    rows
}

fn usual() -> Vec<(&'static str, Vec<Value>)> {
    vec![
        ("MLC101", vec![waiting("ImagePullBackOff", "Back-off pulling image \"registry.local/mlflow:1\"")]),
        ("MLC101", vec![waiting("ErrImagePull", "manifest unknown")]),
        ("MLC101", vec![waiting("InvalidImageName", "couldn't parse image name \"a:b:c\"")]),
        ("MLC101", vec![waiting("ErrImageNeverPull", "Container image is not present with pull policy of Never")]),
        ("MLC102", vec![waiting("CreateContainerConfigError", "secret \"mlflow-db\" not found")]),
        (
            "MLC102",
            vec![
                waiting("ContainerCreating", ""),
                event(
                    POD,
                    "FailedMount",
                    "MountVolume.SetUp failed for volume \"config\" : configmap \"mlflow\" not found",
                ),
            ],
        ),
        ("MLC103", vec![waiting("CrashLoopBackOff", "back-off 40s restarting failed container=server")]),
        ("MLC103", vec![waiting("RunContainerError", "exec: \"mlflow\": executable file not found in $PATH")]),
        (
            "MLC104",
            vec![ours(json!({"containerStatuses": [{
                "name": "server",
                "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}},
                "lastState": {"terminated": {"reason": "OOMKilled", "exitCode": 137}},
            }]}))],
        ),
        (
            "MLC105",
            vec![unscheduled("0/3 nodes are available: 3 Insufficient cpu. preemption: 0/3 nodes are available")],
        ),
        ("MLC105", vec![unscheduled("0/1 nodes are available: 1 Too many pods.")]),
        ("MLC106", vec![unscheduled("0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims.")]),
        (
            "MLC106",
            vec![
                unscheduled("0/1 nodes are available: 1 node(s) didn't find available persistent volumes to bind."),
                event("mlflow", "ProvisioningFailed", "storageclass.storage.k8s.io \"fast\" not found"),
            ],
        ),
        ("MLC107", vec![unscheduled("0/2 nodes are available: 2 node(s) had untolerated taint {gpu: true}.")]),
        ("MLC107", vec![unscheduled("0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector.")]),
        ("MLC114", vec![unscheduled("0/3 nodes are available: persistentvolumeclaim \"data-mlflow-0\" not found.")]),
        (
            "MLC108",
            refused(
                "pods \"mlflow-5d9c7b6f4-\" is forbidden: exceeded quota: team, requested: pods=1, used: pods=9, limited: pods=9",
            ),
        ),
        (
            "MLC109",
            refused(
                "pods \"mlflow-5d9c7b6f4-x\" is forbidden: violates PodSecurity \"restricted:latest\": allowPrivilegeEscalation != false",
            ),
        ),
        (
            "MLC110",
            refused(
                "Internal error occurred: failed calling webhook \"webhook.cert-manager.io\": no endpoints available",
            ),
        ),
    ]
}

/// What scheduling, volumes and admission can say beside.
fn further() -> Vec<(&'static str, Vec<Value>)> {
    vec![
        (
            "MLC115",
            vec![waiting(
                "ImagePullBackOff",
                "Back-off pulling image \"registry.local/mlflow:1\": ErrImagePull: failed to pull and unpack image: failed to resolve reference: failed to authorize: failed to fetch anonymous token: unexpected status: 401 Unauthorized",
            )],
        ),
        (
            "MLC116",
            vec![waiting(
                "ErrImagePull",
                "failed to pull and unpack image \"registry.local/mlflow:1\": failed to resolve reference: failed to do request: Head \"https://registry.local/v2/mlflow/manifests/1\": dial tcp: lookup registry.local: no such host",
            )],
        ),
        (
            "MLC117",
            vec![ours(json!({"containerStatuses": [{
                "name": "server",
                "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                "lastState": {"terminated": {"reason": "StartError", "exitCode": 128, "message": "exec /app: exec format error"}},
            }]}))],
        ),
        (
            "MLC118",
            vec![ours(json!({
                "phase": "Failed", "reason": "Evicted", "message": "Usage of EmptyDir volume \"data\" exceeds the limit \"1Mi\".",
                // The kubelet counts a start that it did not make.
                "containerStatuses": [{
                    "name": "server", "ready": false, "restartCount": 1,
                    "state": {"terminated": {"reason": "Error", "exitCode": 137}},
                }],
            }))],
        ),
        ("MLC119", vec![unscheduled(TAINTED), node("Ready", "False")]),
        ("MLC120", vec![unscheduled(TAINTED), node("DiskPressure", "True")]),
        (
            "MLC121",
            vec![
                with_claim(),
                json!({"kind": "PersistentVolumeClaim", "metadata": {"name": "data", "namespace": "mlops-system"}}),
                json!({
                    "kind": "Event", "type": "Normal", "reason": "FailedBinding",
                    "message": "no persistent volumes available for this claim and no storage class is set",
                    "involvedObject": {"kind": "PersistentVolumeClaim", "namespace": "mlops-system", "name": "data"},
                }),
            ],
        ),
        (
            "MLC123",
            refused(
                "pods \"mlflow-5d9c7b6f4-\" is forbidden: error looking up service account mlops-system/ml: serviceaccount \"ml\" not found",
            ),
        ),
        (
            "MLC125",
            refused(
                "pods \"mlflow-5d9c7b6f4-b\" is forbidden: maximum cpu usage per Container is 100m, but limit is 1",
            ),
        ),
        ("MLC126", refused("admission webhook \"policy.example.com\" denied the request: no latest tags")),
        (
            "MLC127",
            refused(
                "pods \"mlflow-5d9c7b6f4-b\" is forbidden: unable to create new content in namespace mlops-system because it is being terminated",
            ),
        ),
        ("MLC128", vec![leaving(&["example.com/hold"])]),
        (
            "MLC132",
            vec![unscheduled("0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod ports.")],
        ),
        (
            "MLC135",
            vec![
                waiting("ContainerCreating", ""),
                event(
                    POD,
                    "FailedAttachVolume",
                    "Multi-Attach error for volume \"pvc-1\" Volume is already used by pod(s) mlflow-1",
                ),
            ],
        ),
        (
            "MLC203",
            vec![event(
                "mlflow",
                "FailedCreate",
                "Error creating: pods is forbidden: User \"system:serviceaccount:x:y\" cannot create resource \"pods\"",
            )],
        ),
        (
            "MLC111",
            vec![
                ours(json!({})),
                event(POD, "Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503"),
            ],
        ),
    ]
}
