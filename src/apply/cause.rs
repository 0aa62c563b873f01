//! Why a release does not become ready: what the cluster says, matched against a table of causes.

use serde::Serialize;
use serde_json::Value;

use crate::exec::ExecError;
use crate::render::{Workload, WorkloadKind};

/// A row of the table: a stable code, what it means, how to mend it.
#[derive(Debug)]
pub struct CauseKind {
    /// `MLC` and a number; never given to another cause.
    pub code: &'static str,
    /// What it means.
    pub title: &'static str,
    /// The first thing to do.
    pub fix: &'static str,
    /// It cannot heal by itself; waiting longer than the grace is of no use.
    pub permanent: bool,
    /// Words in a waiting reason, a condition or an event that show it.
    pub signs: &'static [&'static str],
}

const TIMEOUT: CauseKind = CauseKind {
    code: "MLC001",
    title: "not ready in time, no known cause",
    fix: "kubectl describe pods -n NAMESPACE",
    permanent: false,
    signs: &[],
};
const HELM: CauseKind = CauseKind {
    code: "MLC002",
    title: "helm failed",
    fix: "mlopsctl up, after the reason above is mended",
    permanent: true,
    signs: &[],
};
const JOB: CauseKind = CauseKind {
    code: "MLC003",
    title: "a Job failed",
    fix: "kubectl logs -n NAMESPACE job/NAME",
    permanent: true,
    signs: &[],
};
const SKIPPED: CauseKind = CauseKind {
    code: "MLC004",
    title: "a needed release failed",
    fix: "mend that release, then mlopsctl up",
    permanent: true,
    signs: &[],
};
const LOST: CauseKind = CauseKind {
    code: "MLC006",
    title: "a claim has lost its volume",
    fix: "kubectl describe pvc -n NAMESPACE NAME",
    permanent: true,
    signs: &[],
};
const INTERRUPTED: CauseKind =
    CauseKind { code: "MLC005", title: "interrupted", fix: "mlopsctl up", permanent: true, signs: &[] };

/// The causes that are found by their signs, the more specific ones first.
pub const CAUSES: &[CauseKind] = &[
    CauseKind {
        code: "MLC101",
        title: "an image cannot be pulled",
        fix: "check the image's name and registry (cluster.imageRegistry, cluster.imagePullSecrets, images.*)",
        permanent: true,
        signs: &["ImagePullBackOff", "ErrImagePull", "InvalidImageName", "ErrImageNeverPull"],
    },
    CauseKind {
        code: "MLC102",
        title: "a Secret or ConfigMap is missing",
        fix: "mlopsctl up makes the stack's own; others must be made by hand",
        permanent: true,
        // A kubelet that is only slow says `failed to sync configmap cache`.
        signs: &["CreateContainerConfigError", "\" : secret \"", "\" : configmap \"", "references non-existent"],
    },
    CauseKind {
        code: "MLC104",
        title: "out of memory",
        fix: "raise resources.limits.memory under values.RELEASE",
        permanent: true,
        signs: &["OOMKilled"],
    },
    CauseKind {
        code: "MLC103",
        title: "a container ends again and again",
        fix: "kubectl logs -n NAMESPACE POD --previous",
        permanent: true,
        signs: &["CrashLoopBackOff", "RunContainerError", "CreateContainerError"],
    },
    CauseKind {
        code: "MLC106",
        title: "a volume cannot be bound",
        fix: "kubectl get storageclass; set cluster.storageClass",
        permanent: true,
        signs: &[
            "unbound immediate PersistentVolumeClaims",
            "no persistent volumes available",
            "storageclass.storage.k8s.io",
            "ProvisioningFailed",
        ],
    },
    CauseKind {
        code: "MLC105",
        title: "no node has room for a pod",
        fix: "free resources, add a node, or lower resources.requests under values.RELEASE",
        permanent: true,
        signs: &["Insufficient cpu", "Insufficient memory", "Insufficient ephemeral-storage", "Too many pods"],
    },
    CauseKind {
        code: "MLC107",
        title: "no node takes a pod",
        fix: "check taints, nodeSelector and tolerations",
        permanent: true,
        signs: &["untolerated taint", "didn't match Pod's node affinity"],
    },
    CauseKind {
        code: "MLC114",
        title: "a pod is not scheduled yet",
        fix: "kubectl describe pod -n NAMESPACE POD",
        // On a first install a claim may be seen later than the pod that needs it.
        permanent: false,
        signs: &["nodes are available", "persistentvolumeclaim \""],
    },
    CauseKind {
        code: "MLC108",
        title: "a quota is used up",
        fix: "kubectl describe resourcequota -n NAMESPACE",
        permanent: true,
        signs: &["exceeded quota", "must specify limits", "must specify requests"],
    },
    CauseKind {
        code: "MLC109",
        title: "Pod Security forbids a pod",
        fix: "kubectl get namespace NAMESPACE --show-labels",
        permanent: true,
        signs: &["violates PodSecurity"],
    },
    CauseKind {
        code: "MLC110",
        title: "an admission webhook does not answer",
        fix: "kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations",
        permanent: false,
        signs: &["failed calling webhook"],
    },
    CauseKind {
        code: "MLC111",
        title: "a probe fails",
        fix: "kubectl describe pod -n NAMESPACE POD",
        permanent: false,
        signs: &["probe failed"],
    },
    CauseKind {
        code: "MLC112",
        title: "a field cannot be changed in place",
        fix: "put the old value back, or `helm uninstall RELEASE` first (volumes of StatefulSets stay)",
        permanent: true,
        signs: &[
            "field is immutable",
            "updates to statefulset spec for fields other than",
            "spec.volumeClaimTemplates: Invalid value",
        ],
    },
    CauseKind {
        code: "MLC113",
        title: "an object belongs to another release",
        fix: "`helm list -A` shows it; a cluster takes one stack that has monitoring, logging or workflows",
        permanent: true,
        signs: &["invalid ownership metadata"],
    },
];

/// A cause with its evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Cause {
    /// The stable code.
    pub code: &'static str,
    /// What it means.
    pub title: &'static str,
    /// What the cluster or helm said.
    pub evidence: String,
    /// The first thing to do.
    pub fix: String,
    /// Waiting longer is of no use.
    #[serde(skip)]
    pub permanent: bool,
}

impl Cause {
    fn new(kind: &CauseKind, evidence: impl Into<String>, fix: String) -> Self {
        let evidence = evidence.into().lines().map(shortened).collect::<Vec<_>>().join("\n");
        Self { code: kind.code, title: kind.title, evidence, fix, permanent: kind.permanent }
    }

    /// helm ended with an error. What it says is matched as well.
    pub(super) fn of_helm(release: &str, namespace: &str, error: &ExecError) -> Self {
        if let ExecError::Interrupted { .. } = error {
            return Self::interrupted(release);
        }
        let text = match error.stderr() {
            "" => error.to_string(),
            // helm 4 logs what its last line says as well.
            stderr => {
                match stderr.lines().map(str::trim).filter(|line| !line.starts_with("level=")).collect::<Vec<_>>() {
                    lines if lines.is_empty() => stderr.to_owned(),
                    lines => lines.join("\n"),
                }
            }
        };
        match by_signs(&text) {
            Some(kind) => Self::new(kind, text, kind.fix.replace("NAMESPACE", namespace).replace("RELEASE", release)),
            None => Self::new(&HELM, text, HELM.fix.to_owned()),
        }
    }

    pub(super) fn unreadable(release: &str, what: &str) -> Self {
        Self::new(&HELM, format!("{release}: {what}"), HELM.fix.to_owned())
    }

    pub(super) fn timeout(namespace: &str, seconds: u32, waiting: &str) -> Self {
        Self::new(&TIMEOUT, format!("{waiting}, after {seconds}s"), TIMEOUT.fix.replace("NAMESPACE", namespace))
    }

    pub(super) fn skipped(need: &str) -> Self {
        Self::new(&SKIPPED, format!("{need} is not ready"), SKIPPED.fix.to_owned())
    }

    pub(super) fn interrupted(release: &str) -> Self {
        Self::new(
            &INTERRUPTED,
            format!("the run was interrupted before {release} was done"),
            INTERRUPTED.fix.to_owned(),
        )
    }

    /// Says whether this is no cause of its own: another release failed, or the run was interrupted.
    pub(crate) fn is_consequence(&self) -> bool {
        self.code == SKIPPED.code || self.code == INTERRUPTED.code
    }

    /// A workload has ended without success: a Job, or a claim whose volume is gone.
    pub(super) fn failed(workload: &Workload, message: &str) -> Self {
        if workload.kind == WorkloadKind::PersistentVolumeClaim {
            let fix = LOST.fix.replace("NAMESPACE", &workload.namespace).replace("NAME", &workload.name);
            return Self::new(&LOST, format!("{workload}: {message}"), fix);
        }
        let fix = JOB.fix.replace("NAMESPACE", &workload.namespace).replace("NAME", &workload.name);
        Self::new(&JOB, format!("{workload}: {message}"), fix)
    }
}

/// Cuts a line that quotes a whole object, as the API server does of an immutable field.
fn shortened(line: &str) -> String {
    const LIMIT: usize = 400;
    match line.char_indices().nth(LIMIT) {
        Some((end, _)) => format!("{} …", &line[..end]),
        None => line.to_owned(),
    }
}

fn by_signs(text: &str) -> Option<&'static CauseKind> {
    CAUSES.iter().find(|kind| kind.signs.iter().any(|sign| text.contains(sign)))
}

/// Looks for what keeps a workload from being ready, among the live objects of its namespace.
pub fn find_cause(release: &str, workload: &Workload, objects: &[Value]) -> Option<Cause> {
    let pods: Vec<&Value> =
        objects.iter().filter(|object| object["kind"] == "Pod" && owned_by(object, workload)).collect();
    let mut signs: Vec<(String, String)> = Vec::new();
    for pod in &pods {
        let name = text(&pod["metadata"]["name"]);
        for status in statuses(pod) {
            for state in ["waiting", "terminated"] {
                let (now, last) = (&status["state"][state], &status["lastState"][state]);
                for (found, ended) in [(now, state == "terminated"), (last, true)] {
                    let reason = text(&found["reason"]);
                    if !reason.is_empty() && (!ended || reason == "OOMKilled") {
                        let container = text(&status["name"]);
                        signs.push((
                            name.clone(),
                            format!("{reason}: container {container}: {}", text(&found["message"])),
                        ));
                    }
                }
            }
        }
        if let Some(condition) = crate::cluster::condition(pod, "PodScheduled").filter(|it| it["status"] == "False") {
            signs.push((name.clone(), text(&condition["message"])));
        }
    }
    for event in objects.iter().filter(|object| object["kind"] == "Event" && object["type"] == "Warning") {
        let about = &event["involvedObject"];
        // Events outlive pods, and a pod of a StatefulSet has the name of the one before it.
        let same = |pod: &&Value| pod["metadata"]["name"] == about["name"] && pod["metadata"]["uid"] == about["uid"];
        let pod = pods.iter().find(|pod| about["kind"] == "Pod" && same(pod));
        let live_pod = pod.is_some();
        if pod.is_some_and(|pod| is_only_starting(pod, event) || is_past(pod, event)) {
            continue;
        }
        if about["namespace"] == workload.namespace.as_str() && (live_pod || is_or_makes_pods_of(about, workload)) {
            signs.push((text(&about["name"]), format!("{}: {}", text(&event["reason"]), text(&event["message"]))));
        }
    }
    // The order of the table decides, not that of the signs: an OOM kill is also a crash loop.
    CAUSES.iter().find_map(|kind| {
        let (pod, evidence) = signs.iter().find(|(_, said)| kind.signs.iter().any(|sign| said.contains(sign)))?;
        let fix = kind.fix.replace("NAMESPACE", &workload.namespace).replace("POD", pod).replace("RELEASE", release);
        Some(Cause::new(kind, format!("{pod}: {}", evidence.trim_end_matches([' ', ':'])), fix))
    })
}

/// Says whether an event is about volumes of a pod that has them by now: they come before its first container.
fn is_past(pod: &Value, event: &Value) -> bool {
    let begun = |status: &Value| ["running", "terminated"].iter().any(|state| !status["state"][*state].is_null());
    matches!(event["reason"].as_str(), Some("FailedMount" | "FailedAttachVolume")) && statuses(pod).any(begun)
}

/// Says whether an event is about a startup probe that has cost no restart yet: until then it is the way every start looks.
fn is_only_starting(pod: &Value, event: &Value) -> bool {
    let restarted = statuses(pod).any(|status| status["restartCount"].as_u64().unwrap_or(0) > 0);
    !restarted && text(&event["message"]).starts_with("Startup probe failed")
}

fn statuses(pod: &Value) -> impl Iterator<Item = &Value> {
    ["initContainerStatuses", "containerStatuses"]
        .into_iter()
        .flat_map(|part| pod["status"][part].as_array().into_iter().flatten())
}

/// Says whether a pod belongs to a workload.
fn owned_by(pod: &Value, workload: &Workload) -> bool {
    let owners = pod["metadata"]["ownerReferences"].as_array();
    workload.kind != WorkloadKind::PersistentVolumeClaim
        && pod["metadata"]["namespace"] == workload.namespace.as_str()
        && owners.into_iter().flatten().any(|owner| is_or_makes_pods_of(owner, workload))
}

/// Says whether a reference is to a workload, or to the ReplicaSet between a Deployment and its pods.
fn is_or_makes_pods_of(reference: &Value, workload: &Workload) -> bool {
    let name = text(&reference["name"]);
    let made = workload.kind == WorkloadKind::Deployment
        && reference["kind"] == "ReplicaSet"
        && name.rsplit_once('-').is_some_and(|(deployment, _)| deployment == workload.name);
    made || reference["kind"] == workload.kind.to_string().as_str() && name == workload.name
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
