//! Which cause is found in what helm, kubectl and programs write. The texts are those of helm 3.22 and 4.3, kubectl 1.37,
//! PostgreSQL 15 and boto3.

use mlopsctl::apply::{Source, shown_in};

fn code(source: Source, text: &str) -> Option<&'static str> {
    shown_in(source, text).map(|kind| kind.code)
}

#[test]
fn each_error_of_helm_has_its_code() {
    for (text, expected) in [
        (
            "Error: failed pre-install: resource Job/x1/hk not ready. status: Failed, message: Job Failed. failed: 1/1",
            "MLC129",
        ),
        ("Error: failed pre-install: 1 error occurred:\n\t* job hk failed: BackoffLimitExceeded", "MLC129"),
        (
            r#"Error: unable to build kubernetes objects from release manifest: resource mapping not found for name: "a" namespace: "" from "": no matches for kind "Nope" in version "nope.io/v1""#,
            "MLC130",
        ),
        (
            r#"Error: server-side apply failed for object x1/a /v1, Kind=Service: Service "a" is invalid: [spec.ports[0].port: Invalid value: 99999: must be between 1 and 65535, inclusive"#,
            "MLC131",
        ),
        (
            r#"Error: server-side apply failed for object x1/p /v1, Kind=Service: Service "p" is invalid: spec.ports[0].nodePort: Invalid value: 30123: provided port is already allocated"#,
            "MLC132",
        ),
        (
            r#"Error: UPGRADE FAILED: conflict occurred while applying object x1/cm /v1, Kind=ConfigMap: Apply failed with 1 conflict: conflict with "somebody" using v1: .data.a"#,
            "MLC124",
        ),
        (
            "Error: UPGRADE FAILED: conflict occurred while applying object x1/cm /v1, Kind=ConfigMap: Apply failed with 2 conflicts: conflicts with \"somebody\" using v1 at 2026-01-01T00:00:00Z:\n- .data.a\n- .data.b",
            "MLC124",
        ),
        (
            r#"Error: UPGRADE FAILED: conflict occurred while applying object x1/web apps/v1, Kind=Deployment: Apply failed with 1 conflict: conflict with "kubectl" with subresource "scale" using apps/v1 at 2026-01-01T00:00:00Z: .spec.replicas"#,
            "MLC124",
        ),
        (
            r#"Error: UPGRADE FAILED: conflict occurred while applying object x1/web apps/v1, Kind=Deployment: Apply failed with 1 conflict: conflict with "kube-controller-manager" with subresource "scale" using apps/v1 at 2026-01-01T00:00:00Z: .spec.replicas"#,
            "MLC137",
        ),
        (
            r#"Error: query: failed to query with labels: secrets is forbidden: User "system:serviceaccount:x1:low" cannot list resource "secrets" in API group "" in the namespace "x1""#,
            "MLC203",
        ),
        ("Error: kubernetes cluster unreachable: the server has asked for the client to provide credentials", "MLC202"),
        (
            r#"Error: Kubernetes cluster unreachable: Get "https://127.0.0.1:1/version": dial tcp 127.0.0.1:1: connect: connection refused"#,
            "MLC201",
        ),
        (
            r#"Error: server-side apply failed for object x2/q /v1, Kind=ConfigMap: Internal error occurred: failed calling webhook "down.example.com": failed to call webhook: Post "https://127.0.0.1:1/x?timeout=2s": dial tcp 127.0.0.1:1: connect: connection refused"#,
            "MLC110",
        ),
        (
            r#"Error: server-side apply failed for object x2/q /v1, Kind=Service: services "q" is forbidden: ValidatingAdmissionPolicy 'x2-deny' with binding 'x2-deny' denied request: no services here"#,
            "MLC126",
        ),
        (
            r#"Error: create: failed to create: secrets "sh.helm.release.v1.term.v1" is forbidden: unable to create new content in namespace x4 because it is being terminated"#,
            "MLC127",
        ),
        (
            r#"Error: unable to continue with install: CustomResourceDefinition "things.example.com" in namespace "" exists and cannot be imported into the current release: invalid ownership metadata; label validation error"#,
            "MLC136",
        ),
        (
            r#"Error: unable to continue with install: ConfigMap "a" in namespace "b" exists and cannot be imported into the current release: invalid ownership metadata"#,
            "MLC113",
        ),
        (
            r#"Error: unable to continue with install: IngressClass "traefik" in namespace "" exists and cannot be imported into the current release: invalid ownership metadata; annotation validation error: key "meta.helm.sh/release-name" must equal "a": current value is "b"; annotation validation error: key "meta.helm.sh/release-namespace" must equal "web": current value is "other""#,
            "MLC113",
        ),
        (
            r#"Error: unable to continue with install: IngressClass "traefik" in namespace "" exists and cannot be imported into the current release: invalid ownership metadata; annotation validation error: key "meta.helm.sh/release-namespace" must equal "web": current value is "kube-system""#,
            "MLC138",
        ),
        ("Error: UPGRADE FAILED: another operation (install/upgrade/rollback) is in progress", "MLC134"),
        ("Error: execution error at (c/templates/o.yaml:1:22): set this or that", "MLC133"),
        ("Error: create: failed to create: etcdserver: request timed out", "MLC209"),
        ("Error: open /cache/helm/x: no space left on device", "MLC208"),
    ] {
        assert_eq!(code(Source::Tool, text), Some(expected), "{text}");
    }
}

#[test]
fn each_error_of_kubectl_has_its_code() {
    for (text, expected) in [
        ("error: You must be logged in to the server (Unauthorized)", "MLC202"),
        (
            r#"Error from server (Forbidden): pods is forbidden: User "low" cannot list resource "pods" in API group "" at the cluster scope"#,
            "MLC203",
        ),
        (
            "Unable to connect to the server: tls: failed to verify certificate: x509: certificate signed by unknown authority",
            "MLC204",
        ),
        ("error: context \"nowhere\" does not exist in kubeconfig \"/x\"", "MLC205"),
        ("context \"nowhere\" does not exist", "MLC205"),
        ("The connection to the server localhost:8080 was refused - did you specify the right host or port?", "MLC205"),
        ("The connection to the server 127.0.0.1:1 was refused - did you specify the right host or port?", "MLC201"),
    ] {
        assert_eq!(code(Source::Tool, text), Some(expected), "{text}");
    }
}

#[test]
fn what_a_program_writes_is_a_cause_only_where_it_is_one() {
    for (text, expected) in [
        (r#"psycopg2.OperationalError: FATAL:  password authentication failed for user "mlflow""#, Some("MLC122")),
        (
            "botocore.exceptions.ClientError: An error occurred (InvalidAccessKeyId) when calling the ListBuckets operation",
            Some("MLC122"),
        ),
        (
            "botocore.exceptions.ClientError: An error occurred (403) when calling the HeadBucket operation",
            Some("MLC122"),
        ),
        ("exec /usr/local/bin/server: exec format error", Some("MLC117")),
        // A database that is not up yet is no API server that is away.
        ("could not connect to server: connection refused", None),
        ("ValueError: the field is immutable", None),
        ("Unauthorized", None),
    ] {
        assert_eq!(code(Source::Log, text), expected, "{text}");
    }
}
