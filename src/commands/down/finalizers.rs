//! What holds an object that is to go: its finalizers, who they are of, and how to let go of it.

use super::kept_object;
use crate::report::Kept;

/// An object that is deleted, but held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Held {
    /// Kind and name, as `kind/name`.
    pub(super) object: String,
    /// Its namespace; empty for cluster-scoped objects.
    pub(super) namespace: String,
    /// What holds it.
    pub(super) finalizers: Vec<String>,
}

/// Finalizers that Kubernetes itself takes off, and what it waits for.
const KUBERNETES: &[(&str, &str)] = &[
    ("kubernetes.io/pvc-protection", "a pod that still uses it"),
    ("kubernetes.io/pv-protection", "a claim that still uses it"),
    ("foregroundDeletion", "objects that belong to it"),
    ("service.kubernetes.io/load-balancer-cleanup", "the controller of load balancers"),
];

impl Held {
    /// Says whether Kubernetes lets go of it by itself.
    pub(super) fn heals(&self) -> bool {
        self.finalizers.iter().all(|finalizer| KUBERNETES.iter().any(|(name, _)| name == finalizer))
    }

    /// Returns it as something that is left.
    pub(super) fn kept(&self) -> Kept {
        kept_object("Object", &self.namespace, &self.object, &self.text())
    }

    /// Says what holds it, whose that is, and the command that lets go.
    pub(super) fn text(&self) -> String {
        let Self { object, namespace, finalizers } = self;
        let (of, place) = if namespace.is_empty() {
            (String::new(), String::new())
        } else {
            (format!(" in {namespace}"), format!(" -n {namespace}"))
        };
        let owners: Vec<String> = finalizers.iter().map(|finalizer| owner(finalizer)).collect();
        format!(
            "{object}{of} is deleted, but held by {}; if its controller is gone for good: kubectl patch {}{place} --type=merge -p '{{\"metadata\":{{\"finalizers\":null}}}}'",
            owners.join(" and "),
            object.to_lowercase(),
        )
    }
}

fn owner(finalizer: &str) -> String {
    match KUBERNETES.iter().find(|(name, _)| *name == finalizer) {
        Some((_, what)) => format!("finalizer {finalizer} ({what})"),
        None => match finalizer.split_once('/') {
            Some((domain, _)) => format!("finalizer {finalizer} (of the controller of {domain})"),
            None => format!("finalizer {finalizer}"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::Held;

    #[test]
    fn who_holds_an_object_is_named_with_the_way_out() {
        let held = |finalizer: &str| Held {
            object: "Workflow/train".into(),
            namespace: "mlops-dev".into(),
            finalizers: vec![finalizer.into()],
        };
        let text = held("workflows.argoproj.io/artifact-gc").text();
        assert!(text.contains("the controller of workflows.argoproj.io"), "{text}");
        assert!(text.contains("kubectl patch workflow/train -n mlops-dev --type=merge"), "{text}");
        assert!(held("kubernetes.io/pvc-protection").heals() && !held("example.com/hold").heals());
    }
}
