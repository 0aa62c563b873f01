//! The kinds that the stack's charts brought, and what others made of them.

use std::collections::BTreeSet;

use serde_json::Value;

use super::leaving::is_unknown_kind;
use crate::cluster::{CRD_RELEASE_LABEL, ClusterState, STACK_LABEL};
use crate::exec::{ExecError, Runner};
use crate::kubectl;
use crate::plan::Removal;
use crate::report::CustomResource;

/// A kind that a chart of the stack brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kind {
    /// The name of its CustomResourceDefinition.
    pub(super) crd: String,
    group: String,
    /// Its name, such as `Workflow`.
    name: String,
    /// The release whose chart brought it.
    pub(super) release: String,
}

impl Kind {
    /// Says whether an object is of this kind, in whatever version.
    pub(super) fn is_of(&self, object: &Value) -> bool {
        let group = object["apiVersion"].as_str().and_then(|version| version.split_once('/')).map(|(group, _)| group);
        object["kind"] == self.name.as_str() && group == Some(&self.group)
    }
}

/// Returns the names of the CRDs that carry our label.
pub(super) fn ours(state: &ClusterState, stack: &str) -> Vec<String> {
    let ours = state.crds.iter().filter(|(_, labels)| labels.get(STACK_LABEL).is_some_and(|id| id == stack));
    ours.map(|(name, _)| name.clone()).collect()
}

/// Returns the names of all CRDs whose objects may be ours: some that our charts bring are somebody else's.
pub(super) fn known(state: &ClusterState, stack: &str) -> Vec<String> {
    let recorded = state.record.iter().flat_map(|record| record.crds.values()).flat_map(|crds| &crds.names);
    let recorded = recorded.filter(|name| state.crds.contains_key(*name)).cloned();
    recorded.chain(ours(state, stack)).collect::<BTreeSet<String>>().into_iter().collect()
}

/// Reads the kinds of CRDs.
pub(super) async fn kinds(runner: &Runner, stack: &str) -> Result<Vec<Kind>, ExecError> {
    let release = format!(".metadata.labels.{}", CRD_RELEASE_LABEL.replace('.', "\\."));
    let selector = format!("{STACK_LABEL}={stack}");
    let paths = [".metadata.name", ".spec.group", ".spec.names.kind", &release];
    let call = kubectl::columns("customresourcedefinitions", &paths).args(["--selector", &selector]);
    let read = |line: &str| match kubectl::column_values(line)[..] {
        [Some(crd), Some(group), Some(kind), release] => Some(Kind {
            crd: crd.to_owned(),
            group: group.to_owned(),
            name: kind.to_owned(),
            release: release.unwrap_or_default().to_owned(),
        }),
        _ => None,
    };
    Ok(runner.run(call).await?.stdout.lines().filter_map(read).collect())
}

/// An object of one of the kinds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Found {
    crd: String,
    namespace: String,
    name: String,
    uid: String,
    stack: Option<String>,
    /// Name and namespace of the helm release that made it.
    release: Option<(String, String)>,
    finalizers: Vec<String>,
    owners: Vec<String>,
}

impl Found {
    fn of(line: &str, kinds: &[Kind]) -> Option<Self> {
        let values = kubectl::column_values(line);
        let [version, kind, namespace, name, uid, stack, release, home, finalizers, owners] = values[..] else {
            return None;
        };
        let (group, _) = version?.split_once('/')?;
        let kind = kinds.iter().find(|it| it.group == group && Some(it.name.as_str()) == kind)?;
        let list = |text: Option<&str>| text.iter().flat_map(|text| text.split(',')).map(str::to_owned).collect();
        Some(Self {
            crd: kind.crd.clone(),
            namespace: namespace.unwrap_or_default().to_owned(),
            name: name?.to_owned(),
            uid: uid?.to_owned(),
            stack: stack.map(str::to_owned),
            release: release.zip(home).map(|(name, home)| (name.to_owned(), home.to_owned())),
            finalizers: list(finalizers),
            owners: list(owners),
        })
    }
}

/// Finds the objects of these kinds that are not ours.
pub(super) async fn find_foreign(
    runner: &Runner,
    stack: &str,
    kinds: &[Kind],
    removals: &[Removal],
) -> Result<Vec<CustomResource>, ExecError> {
    let escaped = |label: &str| label.replace('.', "\\.");
    let stack_label = format!(".metadata.labels.{}", escaped(STACK_LABEL));
    let release = format!(".metadata.annotations.{}", escaped("meta.helm.sh/release-name"));
    let home = format!(".metadata.annotations.{}", escaped("meta.helm.sh/release-namespace"));
    let paths = [
        ".apiVersion",
        ".kind",
        ".metadata.namespace",
        ".metadata.name",
        ".metadata.uid",
        &stack_label,
        &release,
        &home,
        ".metadata.finalizers[*]",
        ".metadata.ownerReferences[*].uid",
    ];
    let read = |names: &str| runner.run(kubectl::columns(names, &paths));
    let names: Vec<&str> = kinds.iter().map(|kind| kind.crd.as_str()).collect();
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let text = match read(&names.join(",")).await {
        // One that is not served, or not any more, must not hide the others.
        Err(error) if is_unknown_kind(&error) => {
            let mut text = String::new();
            for name in names {
                match read(name).await {
                    Err(error) if is_unknown_kind(&error) => {}
                    output => text.push_str(&output?.stdout),
                }
            }
            text
        }
        output => output?.stdout,
    };
    let found: Vec<Found> = text.lines().filter_map(|line| Found::of(line, kinds)).collect();
    Ok(foreign(found, stack, removals))
}

/// Returns what is not ours. An object that another owns goes or stays with its owner; it is ours unless the owner is known and
/// is not.
fn foreign(found: Vec<Found>, stack: &str, removals: &[Removal]) -> Vec<CustomResource> {
    let ours = |object: &Found| {
        let release = object.release.as_ref();
        let removed = |(name, home): &(String, String)| {
            removals.iter().any(|removal| removal.name == *name && removal.namespace == *home)
        };
        object.stack.as_deref() == Some(stack) || release.is_some_and(removed)
    };
    let (mut theirs, mut owned): (Vec<Found>, Vec<Found>) =
        found.into_iter().filter(|object| !ours(object)).partition(|object| object.owners.is_empty());
    loop {
        let is_theirs = |object: &Found| object.owners.iter().any(|owner| theirs.iter().any(|it| it.uid == *owner));
        let (more, rest): (Vec<Found>, Vec<Found>) = owned.into_iter().partition(is_theirs);
        owned = rest;
        if more.is_empty() {
            break;
        }
        theirs.extend(more);
    }
    let mut result: Vec<CustomResource> = theirs
        .into_iter()
        .map(|Found { crd, namespace, name, finalizers, .. }| CustomResource { crd, namespace, name, finalizers })
        .collect();
    result.sort_by(|a, b| (&a.crd, &a.namespace, &a.name).cmp(&(&b.crd, &b.namespace, &b.name)));
    result
}

#[cfg(test)]
mod tests {
    use super::{Found, Kind, foreign};
    use crate::plan::Removal;

    fn kinds() -> Vec<Kind> {
        let of = |crd: &str, group: &str, kind: &str, release: &str| Kind {
            crd: crd.into(),
            group: group.into(),
            name: kind.into(),
            release: release.into(),
        };
        vec![
            of("workflows.argoproj.io", "argoproj.io", "Workflow", "argo"),
            of("certificates.cert-manager.io", "cert-manager.io", "Certificate", "cert-manager"),
        ]
    }

    #[test]
    fn what_neither_we_nor_our_releases_made_is_foreign() {
        let text = "\
argoproj.io/v1alpha1   Workflow      dev    ours      1   t-a      <none>   <none>   <none>   <none>
argoproj.io/v1alpha1   Workflow      shop   theirs    2   t-b      <none>   <none>   example.com/a,example.com/b   <none>
argoproj.io/v1alpha1   Workflow      dev    release   3   <none>   argo     system   <none>   <none>
argoproj.io/v1alpha1   Workflow      dev    other     4   <none>   argo     shop     <none>   <none>
argoproj.io/v1alpha1   Workflow      dev    child     5   <none>   <none>   <none>   <none>   4
argoproj.io/v1alpha1   Workflow      dev    grand     6   <none>   <none>   <none>   <none>   5
argoproj.io/v1alpha1   Workflow      dev    part      7   <none>   <none>   <none>   <none>   3
cert-manager.io/v1     Certificate   dev    ingress   8   <none>   <none>   <none>   <none>   99
";
        let found: Vec<Found> = text.lines().filter_map(|line| Found::of(line, &kinds())).collect();
        assert_eq!(found.len(), 8);
        let removals = [Removal { name: "argo".into(), namespace: "system".into() }];
        let foreign = foreign(found, "t-a", &removals);
        let names: Vec<&str> = foreign.iter().map(|it| it.name.as_str()).collect();
        assert_eq!(names, ["child", "grand", "other", "theirs"]);
        assert_eq!(foreign[3].finalizers, ["example.com/a", "example.com/b"]);
        assert_eq!((&foreign[3].crd[..], &foreign[3].namespace[..]), ("workflows.argoproj.io", "shop"));
    }

    #[test]
    fn the_group_tells_kinds_of_one_name_apart() {
        let kinds = kinds();
        let object = |version: &str| serde_json::json!({"apiVersion": version, "kind": "Certificate"});
        assert!(kinds[1].is_of(&object("cert-manager.io/v1")) && kinds[1].is_of(&object("cert-manager.io/v2")));
        assert!(!kinds[1].is_of(&object("networking.gke.io/v1")) && !kinds[1].is_of(&object("v1")));
    }
}
