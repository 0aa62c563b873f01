//! What the words of helm and the API server name beside a cause: a Job, an object, an owner, a limit.

/// Returns the name of the Job that helm's words are about: helm 4 says `resource Job/NAMESPACE/NAME`, helm 3 `job NAME failed`.
pub(super) fn job_in(text: &str) -> Option<String> {
    let word = |rest: &str| rest.split([' ', ':', '\n']).next().map(str::to_owned).filter(|name| !name.is_empty());
    if let Some((_, rest)) = text.split_once("resource Job/") {
        return word(rest.split_once('/')?.1);
    }
    let (before, _) = text.split_once(" failed: ")?;
    let name = before.rsplit_once("job ").map(|(_, name)| name).filter(|name| !name.contains(' '))?;
    word(name)
}

/// An object that helm could not apply.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Named<'a> {
    pub(super) kind: &'a str,
    pub(super) name: &'a str,
}

/// Returns the object that helm 4 was applying: `applying object NAMESPACE/NAME GROUP/VERSION, Kind=KIND: …`; or the one that
/// evidence of ours begins with: `KIND/NAME in NAMESPACE: …`, or `KIND/NAME: …`.
pub(super) fn object_in(text: &str) -> Option<Named<'_>> {
    let Some((_, rest)) = text.split_once("applying object ") else {
        let (kind, name) = text.split(' ').next()?.split_once('/')?;
        return Some(Named { kind, name: name.trim_end_matches(':') });
    };
    let (path, rest) = rest.split_once(' ')?;
    let kind = rest.split_once("Kind=")?.1.split([':', ' ', '\n']).next()?;
    Some(Named { kind, name: path.rsplit_once('/')?.1 })
}

/// Says whom an object belongs to that helm did not take over for a release. helm names only what differs from the release.
pub(super) fn owner_in(text: &str, release: &str, namespace: &str) -> Option<String> {
    let (_, text) = text.split_once("invalid ownership metadata")?;
    let value = |key: &str| {
        let (_, rest) = text.split_once(&format!("key \"meta.helm.sh/{key}\" must equal"))?;
        rest.split_once("current value is \"")?.1.split('"').next()
    };
    if text.contains("missing key \"meta.helm.sh/release-name\"") {
        return Some("no helm release owns it".to_owned());
    }
    let (name, place) = (value("release-name"), value("release-namespace"));
    if name.is_none() && place.is_none() {
        return None;
    }
    let (name, place) = (name.unwrap_or(release), place.unwrap_or(namespace));
    Some(format!("it belongs to release {name} in namespace {place}"))
}

/// A bound that a LimitRange sets.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Limit<'a> {
    /// The field of the LimitRange.
    pub(super) field: &'static str,
    pub(super) resource: &'a str,
    /// `Container`, `Pod` or `PersistentVolumeClaim`.
    pub(super) of: &'a str,
}

/// Returns the bound in the API server's words: `maximum RESOURCE usage per TYPE is …`, or `RESOURCE max limit to
/// request ratio per TYPE is …`.
pub(super) fn limit_in(text: &str) -> Option<Limit<'_>> {
    if let Some((before, after)) = text.split_once(" max limit to request ratio per ") {
        let (resource, of) = (before.rsplit(' ').next()?, after.split(' ').next()?);
        return Some(Limit { field: "maxLimitRequestRatio", resource, of });
    }
    let (before, after) = text.split_once(" usage per ")?;
    let (before, resource) = before.rsplit_once(' ')?;
    let field = if before.ends_with("minimum") { "min" } else { "max" };
    Some(Limit { field, resource, of: after.split(' ').next()? })
}

#[cfg(test)]
mod tests {
    use super::{Limit, Named, job_in, limit_in, object_in, owner_in};

    const FOREIGN: &str = r#"Error: Unable to continue with install: IngressClass "traefik" in namespace "" exists and cannot be imported into the current release: invalid ownership metadata; annotation validation error: key "meta.helm.sh/release-name" must equal "edge": current value is "traefik"; annotation validation error: key "meta.helm.sh/release-namespace" must equal "web": current value is "kube-system""#;

    #[test]
    fn a_job_is_named_by_both_helms() {
        let four = "Error: failed pre-install: resource Job/x1/hk not ready. status: Failed";
        let three = "Error: failed pre-install: 1 error occurred:\n\t* job hk failed: BackoffLimitExceeded";
        assert_eq!([job_in(four), job_in(three)], [Some("hk".to_owned()), Some("hk".to_owned())]);
    }

    #[test]
    fn an_object_is_named_with_its_kind() {
        let text = r#"Error: UPGRADE FAILED: conflict occurred while applying object x1/web apps/v1, Kind=Deployment: Apply failed with 1 conflict: conflict with "kubectl""#;
        assert_eq!(object_in(text), Some(Named { kind: "Deployment", name: "web" }));
        let ours = r#"Deployment/web in x1: Apply failed with 1 conflict: conflict with "kubectl""#;
        for text in [ours, &ours.replace(" in x1", "")] {
            assert_eq!(object_in(text), Some(Named { kind: "Deployment", name: "web" }));
        }
        assert_eq!(object_in("Error: nothing of the kind"), None);
    }

    #[test]
    fn an_owner_is_named_also_where_only_a_part_differs() {
        let owner = |text: &str, release: &str, namespace: &str| owner_in(text, release, namespace).unwrap_or_default();
        let expected = "it belongs to release traefik in namespace kube-system";
        assert_eq!(owner(FOREIGN, "edge", "web"), expected);
        let place = FOREIGN.replace(r#"annotation validation error: key "meta.helm.sh/release-name" must equal "edge": current value is "traefik"; "#, "");
        assert_eq!(owner(&place, "traefik", "web"), expected);
        let none = r#"cannot be imported into the current release: invalid ownership metadata; label validation error: missing key "app.kubernetes.io/managed-by": must be set to "Helm"; annotation validation error: missing key "meta.helm.sh/release-name": must be set to "a""#;
        assert_eq!(owner(none, "a", "b"), "no helm release owns it");
        assert_eq!(owner("Error: timed out", "a", "b"), "");
    }

    #[test]
    fn a_bound_is_read_from_the_words_of_the_api_server() {
        for (text, field, resource, of) in [
            ("x is forbidden: maximum cpu usage per Container is 100m, but limit is 1", "max", "cpu", "Container"),
            ("maximum storage usage per PersistentVolumeClaim is 1Gi", "max", "storage", "PersistentVolumeClaim"),
            ("x is forbidden: minimum memory usage per Pod is 1Gi, but request is 1Mi", "min", "memory", "Pod"),
            (
                "x is forbidden: memory max limit to request ratio per Container is 2, but provided ratio is 4",
                "maxLimitRequestRatio",
                "memory",
                "Container",
            ),
        ] {
            assert_eq!(limit_in(text), Some(Limit { field, resource, of }), "{text}");
        }
        assert_eq!(limit_in("exceeded quota"), None);
    }
}
