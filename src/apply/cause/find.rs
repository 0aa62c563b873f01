//! Matching what live objects say against the table.

use serde_json::Value;

use super::signs::{signs, unscheduled};
use super::{Cause, Names, Source, causes};
use crate::render::Workload;

/// Looks for what keeps a workload from being ready, among the live objects of its namespace and, where they are known, the nodes.
pub fn find_cause(release: &str, workload: &Workload, objects: &[Value]) -> Option<Cause> {
    let said = signs(workload, objects);
    // The order of the table decides, not that of what is said: an OOM kill is also a crash loop.
    causes().find_map(|kind| {
        let mut signs = kind.signs.iter();
        let found = signs.find_map(|sign| said.iter().find(|said| sign.is_in(Source::Cluster, &said.text)))?;
        let names = Names { release, namespace: &workload.namespace, object: &found.about };
        let evidence = format!("{}: {}", found.about, found.text.trim_end_matches([' ', ':']));
        let cause = Cause::new(kind, evidence, names);
        Some(Cause { pod: found.is_pod.then(|| found.about.clone()), ..cause })
    })
}

/// Says whether the nodes would tell more about a pod that none of them takes.
pub(in crate::apply) fn needs_nodes(objects: &[Value]) -> bool {
    let tainted = |condition: &Value| condition["message"].as_str().is_some_and(|it| it.contains("untolerated taint"));
    objects.iter().filter(|object| object["kind"] == "Pod").any(|pod| unscheduled(pod).is_some_and(tainted))
}
