//! Faults that are not a matter of objects of the release.

use std::fs;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::kubeconfig::{Bridge, changed};
use super::run::{pods, write_template};
use crate::cluster::{command, kubectl, kubectl_command, kubectl_with, until};
use crate::stack::{SMALL, Stack};

/// How long the API server is away.
const AWAY: Duration = Duration::from_mins(1);

/// What a fault needs while `up` runs, and how it ends.
#[derive(Default)]
pub(super) struct Setting {
    pub(super) args: Vec<String>,
    pub(super) env: Vec<(String, String)>,
    /// Charts come from their repositories.
    pub(super) without_charts: bool,
    /// The folder that is to be a small disk.
    small_disk: Option<String>,
    /// The way to the API server that is cut once the release is applied.
    bridge: Mutex<Option<Bridge>>,
    end: Vec<Box<dyn FnOnce() + Send>>,
}

impl Setting {
    fn ends_with(mut self, end: impl FnOnce() + Send + 'static) -> Self {
        self.end.push(Box::new(end));
        self
    }

    fn with_kubeconfig(stack: &Stack, change: impl FnOnce(&mut Value)) -> Self {
        let path = changed(&stack.work(), change).display().to_string();
        Self { args: vec!["--kubeconfig".to_owned(), path], ..Self::default() }
    }

    /// Takes back what was set.
    pub(super) fn end(self) {
        self.end.into_iter().for_each(|end| end());
    }

    /// Hears a line of `up`.
    pub(super) fn hear(&self, line: &str, namespace: &str) {
        if !line.contains(r#""event":"applied""#) {
            return;
        }
        let Some(bridge) = self.bridge.lock().unwrap().take() else { return };
        let (port, namespace) = (bridge.port, namespace.to_owned());
        bridge.cut();
        std::thread::spawn(move || {
            std::thread::sleep(AWAY);
            let bridge = Bridge::open(port);
            for pod in pods(&namespace) {
                let name = format!("pod/{}", pod["metadata"]["name"].as_str().unwrap());
                kubectl(["annotate", &name, "--namespace", &namespace, "simulate.mlopsctl.dev/pod-"]);
            }
            std::thread::sleep(AWAY);
            bridge.cut();
        });
    }

    /// Returns the command as it is to be run; none where this machine cannot.
    pub(super) fn wrapped(&self, inner: Command) -> Option<Command> {
        let Some(folder) = &self.small_disk else { return Some(inner) };
        fs::create_dir_all(folder).unwrap();
        let mut outer = command("unshare");
        outer.args(["--mount", "--map-root-user", "sh", "-c"]);
        outer.arg(r#"mount -t tmpfs -o size=16k tmpfs "$0" && PATH=$INNER_PATH exec "$@""#).arg(folder);
        outer.arg(inner.get_program()).args(inner.get_args());
        for (name, value) in inner.get_envs() {
            let value = value?;
            if name == "PATH" {
                outer.env("INNER_PATH", value)
            } else {
                outer.env(name, value)
            };
        }
        outer.current_dir(inner.get_current_dir()?).stdin(Stdio::null());
        outer.stdout(Stdio::piped()).stderr(Stdio::piped());
        Some(outer)
    }
}

/// Sets what a fault needs.
pub(super) fn set(name: &str, stack: &Stack, namespace: &str) -> Setting {
    match name {
        "tainted node" => {
            node(namespace, &json!([{"key": "example.com/gpu", "effect": "NoSchedule"}]), "True", "False")
        }
        "node not ready" => node(namespace, &json!([]), "False", "False"),
        "node under pressure" => node(namespace, &json!([]), "True", "True"),
        "webhook of ConfigMaps" => webhook(namespace, "configmaps"),
        "webhook of pods" => webhook(namespace, "pods"),
        "policy of ConfigMaps" => policy(namespace, "configmaps", "no ConfigMaps here"),
        "policy of pods" => policy(namespace, "pods", "no pods here"),
        "foreign CRD" => foreign_crd(),
        "refused values" => {
            write_template(&stack.work().join("fault"), "{{ fail \"set this or that\" }}\n");
            Setting::default()
        }
        "autoscaler" => autoscaler(namespace),
        "finalizer" => finalizer(namespace),
        "terminating namespace" => terminating(namespace),
        "nobody listens" => {
            Setting::with_kubeconfig(stack, |it| it["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1".into())
        }
        "away for a minute" => away(stack),
        "silent server" => silent(stack),
        "expired token" => Setting::with_kubeconfig(stack, |it| it["users"][0]["user"] = json!({"token": "expired"})),
        "poor user" => poor(stack, namespace),
        "other authority" => Setting::with_kubeconfig(stack, |it| {
            it["clusters"][0]["cluster"].as_object_mut().unwrap().remove("certificate-authority-data");
        }),
        "unknown context" => Setting { args: vec!["--context".into(), "nowhere".into()], ..Setting::default() },
        "chart source gone" => {
            from_repository(stack);
            Setting { without_charts: true, ..Setting::default() }
        }
        "another digest" => other_digest(stack),
        "full disk" => {
            stack.configure(SMALL);
            let folder = stack.work().join("disk").display().to_string();
            let args = vec!["--cache-dir".to_owned(), folder.clone()];
            Setting { args, small_disk: Some(folder), ..Setting::default() }
        }
        other => panic!("no such fault: {other}"),
    }
}

/// A node that nobody but the fault's pod may go to.
fn node(namespace: &str, taints: &Value, ready: &str, pressure: &str) -> Setting {
    let (name, now) = (format!("{namespace}-node"), Timestamp::now().strftime("%FT%TZ").to_string());
    let labels = json!({"example.com/fault": namespace, "kubernetes.io/hostname": name});
    let object = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels}, "spec": {"taints": taints}});
    kubectl_with(["create", "-f", "-"], &object);
    let condition = |kind: &str, status: &str| {
        json!({"type": kind, "status": status, "reason": "KubeletSays", "message": "as the fault wants it",
            "lastHeartbeatTime": now, "lastTransitionTime": now})
    };
    let room = json!({"cpu": "4", "memory": "4Gi", "pods": "10", "ephemeral-storage": "10Gi"});
    let conditions = [condition("Ready", ready), condition("DiskPressure", pressure)];
    let status = json!({"status": {"capacity": room, "allocatable": room, "conditions": conditions}});
    kubectl(["patch", "node", &name, "--subresource=status", "--type=merge", "--patch", &status.to_string()]);
    let object = format!("node/{name}");
    until("the node has its taint", || {
        kubectl(["get", &object, "-o", "jsonpath={.spec.taints}"]).contains("NoSchedule")
    });
    Setting::default().ends_with(move || _ = kubectl(["delete", &object]))
}

/// An admission webhook at an address where nobody listens.
fn webhook(namespace: &str, resource: &str) -> Setting {
    let name = format!("{namespace}-down");
    let object = json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": name},
        "webhooks": [{
            "name": "down.example.com", "admissionReviewVersions": ["v1"], "sideEffects": "None", "timeoutSeconds": 2,
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
            "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": [resource]}],
            "clientConfig": {"url": "https://127.0.0.1:1/"},
        }],
    });
    kubectl_with(["create", "-f", "-"], &object);
    Setting::default().ends_with(move || _ = kubectl(["delete", "validatingwebhookconfiguration", &name]))
}

/// A policy that lets no object of a kind into the namespace.
fn policy(namespace: &str, resource: &str, message: &str) -> Setting {
    let name = format!("{namespace}-deny");
    let rule = json!({"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": [resource]});
    let selector = json!({"matchLabels": {"kubernetes.io/metadata.name": namespace}});
    let list = json!({"apiVersion": "v1", "kind": "List", "items": [
        {
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy", "metadata": {"name": name},
            "spec": {"matchConstraints": {"resourceRules": [rule]}, "validations": [{"expression": "false", "message": message}]},
        },
        {
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding", "metadata": {"name": name},
            "spec": {"policyName": name, "validationActions": ["Deny"], "matchResources": {"namespaceSelector": selector}},
        },
    ]});
    kubectl_with(["create", "-f", "-"], &list);
    kubectl(["create", "namespace", namespace]);
    let kind = resource.trim_end_matches('s');
    until("the policy is in force", || {
        let mut probe = match kind {
            "pod" => kubectl_command(["run", "probe", "--image=none"]),
            _ => kubectl_command(["create", kind, "probe"]),
        };
        !probe.args(["--namespace", namespace, "--dry-run=server"]).output().unwrap().status.success()
    });
    Setting::default().ends_with(move || {
        let objects = [format!("validatingadmissionpolicybinding/{name}"), format!("validatingadmissionpolicy/{name}")];
        kubectl(["delete".to_owned()].into_iter().chain(objects));
    })
}

fn foreign_crd() -> Setting {
    let object = json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "things.fault.example.com"},
        "spec": {
            "group": "fault.example.com", "scope": "Namespaced",
            "names": {"plural": "things", "singular": "thing", "kind": "Thing", "listKind": "ThingList"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {"type": "object"}}}],
        },
    });
    kubectl_with(["create", "-f", "-"], &object);
    Setting::default().ends_with(|| _ = kubectl(["delete", "crd/things.fault.example.com"]))
}

/// An autoscaler that wants two pods at least, and has got them.
fn autoscaler(namespace: &str) -> Setting {
    let object = json!({
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "fault"},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "fault"},
            "minReplicas": 2, "maxReplicas": 3,
        },
    });
    kubectl_with(["create", "-f", "-", "--namespace", namespace], &object);
    let deployment = ["get", "deployment/fault", "--namespace", namespace, "-o", "jsonpath={.spec.replicas}"];
    until("the autoscaler has scaled", || kubectl(deployment) == "2");
    Setting::default()
}

/// Takes the finalizers off in the end, or the namespace would stay.
fn finalizer(namespace: &str) -> Setting {
    let namespace = namespace.to_owned();
    Setting::default().ends_with(move || {
        kubectl(["delete", "statefulset/fault", "--namespace", &namespace, "--wait=false"]);
        for pod in pods(&namespace) {
            let name = format!("pod/{}", pod["metadata"]["name"].as_str().unwrap());
            let patch = r#"{"metadata":{"finalizers":null}}"#;
            kubectl(["patch", &name, "--namespace", &namespace, "--type=merge", "--patch", patch]);
        }
    })
}

fn terminating(namespace: &str) -> Setting {
    kubectl(["create", "namespace", namespace]);
    let held = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "held", "finalizers": ["example.com/hold"]}});
    kubectl_with(["create", "-f", "-", "--namespace", namespace], &held);
    kubectl(["delete", "namespace", namespace, "--wait=false"]);
    let namespace = namespace.to_owned();
    Setting::default().ends_with(move || {
        let patch = r#"{"metadata":{"finalizers":null}}"#;
        kubectl(["patch", "configmap/held", "--namespace", &namespace, "--type=merge", "--patch", patch]);
    })
}

fn away(stack: &Stack) -> Setting {
    let bridge = Bridge::open(0);
    let url = format!("https://127.0.0.1:{}", bridge.port);
    let setting = Setting::with_kubeconfig(stack, |it| it["clusters"][0]["cluster"]["server"] = url.into());
    Setting { bridge: Mutex::new(Some(bridge)), ..setting }
}

/// A server that takes connections and says nothing.
fn silent(stack: &Stack) -> Setting {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let setting = Setting::with_kubeconfig(stack, |it| it["clusters"][0]["cluster"]["server"] = url.into());
    // The kernel takes connections for it as long as it is there.
    setting.ends_with(move || drop(listener))
}

fn poor(stack: &Stack, namespace: &str) -> Setting {
    kubectl(["create", "namespace", namespace]);
    kubectl(["create", "serviceaccount", "poor", "--namespace", namespace]);
    let token = kubectl(["create", "token", "poor", "--namespace", namespace]);
    Setting::with_kubeconfig(stack, |it| it["users"][0]["user"] = json!({"token": token.trim()}))
}

/// Has the chart of the release come from a repository where nobody listens.
fn from_repository(stack: &Stack) {
    let file = stack.work().join("mlops.yaml");
    let (old, new) = (r#""path":"fault""#, r#""version":"0.1.0","repository":"https://127.0.0.1:1/charts""#);
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.contains(old), "{text}");
    fs::write(&file, text.replace(old, new)).unwrap();
}

fn other_digest(stack: &Stack) -> Setting {
    from_repository(stack);
    let charts = stack.work().join("charts");
    let folder = charts.join("fault");
    write_template(&folder, "");
    let charts = charts.display().to_string();
    stack.run(&["lock", "--charts", &charts]).code(0);
    write_template(&folder, "# changed\n");
    Setting { args: vec!["--charts".to_owned(), charts], ..Setting::default() }
}
