//! Whose data stays.

use std::collections::BTreeSet;
use std::io::IsTerminal as _;

use super::inventory::{Claim, Found};
use crate::cli::DownArgs;
use crate::error::{CommandError, ExitStatus};

/// What is to be kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Choice {
    /// Data goes, but for that of `kept`.
    pub(super) purge: bool,
    /// Releases whose volumes stay all the same.
    pub(super) kept: BTreeSet<String>,
}

impl Choice {
    /// Returns what the flags say. A release whose data cannot be kept is an error, since nobody would know before it is gone.
    pub(super) fn of(args: &DownArgs, found: &Found) -> Result<Self, CommandError> {
        for name in &args.keep {
            check(name, found)?;
        }
        Ok(Self { purge: args.purge, kept: args.keep.iter().cloned().collect() })
    }

    /// Says whether a claim stays.
    pub(super) fn keeps_claim(&self, claim: &Claim) -> bool {
        !claim.goes_with_release && self.keeps_data_of(&claim.release)
    }

    /// Says whether the data of a release stays.
    pub(super) fn keeps_data_of(&self, release: &str) -> bool {
        !self.purge || self.kept.contains(release)
    }

    /// Says whether a Secret stays, since it opens a volume that does.
    ///
    /// Without `--purge` all Secrets stay that are beside such a volume. With it those do that the volume's release reads, but
    /// not their copies in other namespaces, which the next `up` makes anew; where no file says what the release reads, all
    /// beside its volume.
    pub(super) fn keeps_secret(&self, found: &Found, namespace: &str, name: &str) -> bool {
        found.claims.iter().filter(|claim| self.keeps_claim(claim)).any(|claim| {
            let reads = found.reads.get(&claim.release).filter(|_| self.purge);
            match reads {
                Some(reads) => {
                    let home = found.homes.get(name).unwrap_or(&claim.namespace);
                    reads.iter().any(|it| it == name) && home == namespace
                }
                None => claim.namespace == namespace,
            }
        })
    }
}

/// Returns the releases with a volume that can be kept.
fn keepable(found: &Found) -> Vec<&str> {
    let claims = found.claims.iter().filter(|claim| !claim.goes_with_release);
    claims.map(|claim| claim.release.as_str()).collect::<BTreeSet<_>>().into_iter().collect()
}

fn check(name: &str, found: &Found) -> Result<(), CommandError> {
    let keepable = keepable(found);
    if keepable.contains(&name) {
        return Ok(());
    }
    let known = found.reads.contains_key(name) || found.removals.iter().any(|removal| removal.name == name);
    let message = if found.claims.iter().any(|claim| claim.release == name) {
        format!("the volumes of release `{name}` cannot be kept: they are deleted with it")
    } else if known {
        format!("release `{name}` has no volume to keep")
    } else {
        format!("there is no release `{name}`")
    };
    let meant = crate::config::suggestion(name, keepable.iter().copied()).filter(|_| !known);
    let hint = match meant {
        Some(meant) => format!("did you mean `{meant}`?"),
        None if keepable.is_empty() => "no release of this stack has one".to_owned(),
        None => format!("releases with volumes: {}", keepable.join(", ")),
    };
    Err(CommandError::usage(message).hint(hint))
}

/// Asks on a terminal whose volumes go. Returns nothing where the flags are an answer, or nothing can be chosen.
pub(super) fn ask(args: &DownArgs, found: &Found) -> Result<Option<Choice>, CommandError> {
    let releases = keepable(found);
    let answered = !args.purge || args.yes || args.confirm.is_some() || !args.keep.is_empty();
    if answered || releases.is_empty() || !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return Ok(None);
    }
    let label = |release: &&str| {
        let claims = found.claims.iter().filter(|claim| claim.release == **release);
        let sizes: Vec<&str> = claims.map(|claim| claim.size.as_str()).collect();
        format!("{release} ({})", sizes.join(", "))
    };
    let marked = dialoguer::MultiSelect::new()
        .with_prompt("Whose volumes are to be deleted? Space changes a mark, Enter goes on")
        .items_checked(releases.iter().map(|release| (label(release), true)))
        .interact()
        .map_err(|error| CommandError::new(ExitStatus::Interrupted, error))?;
    Ok(Some(Choice { purge: true, kept: unmarked(&releases, &marked) }))
}

fn unmarked(releases: &[&str], marked: &[usize]) -> BTreeSet<String> {
    let unmarked = releases.iter().enumerate().filter(|(place, _)| !marked.contains(place));
    unmarked.map(|(_, release)| (*release).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::super::inventory::{Claim, Found, Models};
    use super::{Choice, check, unmarked};
    use crate::report::{Fate, Inventory};

    fn claim(release: &str, name: &str, goes_with_release: bool) -> Claim {
        let text = str::to_owned;
        Claim {
            namespace: text("sys"),
            name: text(name),
            size: text("1Gi"),
            release: text(release),
            title: text(release),
            goes_with_release,
        }
    }

    fn found() -> Found {
        let text = str::to_owned;
        let reads = [
            ("pg", vec!["pg-superuser", "mlflow-db"]),
            ("minio", vec!["minio-root", "mlflow-s3"]),
            ("mlflow", vec!["mlflow-db", "mlflow-s3"]),
            ("cache", vec![]),
        ];
        let secrets = [
            ("sys", "pg-superuser"),
            ("sys", "mlflow-db"),
            ("sys", "minio-root"),
            ("sys", "mlflow-s3"),
            ("dev", "mlflow-s3"),
        ];
        Found {
            claims: vec![
                claim("pg", "data-pg-0", false),
                claim("minio", "data-minio-0", false),
                claim("cache", "tmp", true),
            ],
            reads: reads.map(|(name, it)| (text(name), it.into_iter().map(text).collect())).into(),
            needs: [(text("mlflow"), vec![text("pg"), text("minio")])].into(),
            homes: secrets[..4].iter().map(|(namespace, name)| (text(name), text(namespace))).collect(),
            secrets: secrets.iter().map(|(namespace, name)| (text(namespace), text(name))).collect(),
            models: Some(Models { release: text("mlflow"), answer: Ok((1, 2)) }),
            ..Found::default()
        }
    }

    fn choice(purge: bool, kept: &[&str]) -> Choice {
        Choice { purge, kept: kept.iter().map(|it| (*it).to_owned()).collect() }
    }

    fn stays(inventory: &Inventory) -> (Vec<&str>, Vec<String>, Fate) {
        let volumes = inventory.volumes.iter().filter(|it| it.fate == Fate::Keep).map(|it| it.name.as_str()).collect();
        let secrets = inventory.secrets.iter().filter(|it| it.fate == Fate::Keep);
        let secrets = secrets.map(|it| format!("{}/{}", it.namespace, it.name)).collect();
        (volumes, secrets, inventory.models.as_ref().unwrap().fate)
    }

    #[test]
    fn secrets_stay_with_the_volumes_that_they_open() {
        let found = found();
        let text = |names: &[&str]| names.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
        let all = text(&["sys/pg-superuser", "sys/mlflow-db", "sys/minio-root", "sys/mlflow-s3"]);
        let expected = (vec!["data-pg-0", "data-minio-0"], all.clone(), Fate::Keep);
        assert_eq!(stays(&found.with(&choice(false, &[]))), expected);
        assert_eq!(stays(&found.with(&choice(true, &["minio", "pg"]))), expected);
        assert_eq!(stays(&found.with(&choice(true, &[]))), (vec![], vec![], Fate::Delete));
        let pg = (vec!["data-pg-0"], text(&["sys/pg-superuser", "sys/mlflow-db"]), Fate::Delete);
        assert_eq!(stays(&found.with(&choice(true, &["pg"]))), pg);
    }

    #[test]
    fn where_nobody_says_what_a_release_reads_all_secrets_beside_its_volume_stay() {
        let mut found = found();
        found.reads.remove("pg");
        let inventory = found.with(&choice(true, &["pg"]));
        assert_eq!(stays(&inventory).1.len(), 4);
    }

    #[test]
    fn what_cannot_be_kept_is_told_before_it_is_gone() {
        let found = found();
        let error = |name: &str| {
            let error = check(name, &found).unwrap_err();
            (error.status.code(), format!("{:#}; {}", error.error, error.hints.join("; ")))
        };
        assert!(check("pg", &found).is_ok());
        assert_eq!(error("minoi"), (2, "there is no release `minoi`; did you mean `minio`?".to_owned()));
        let volumes = "releases with volumes: minio, pg";
        assert_eq!(error("mlflow"), (2, format!("release `mlflow` has no volume to keep; {volumes}")));
        let lost = "the volumes of release `cache` cannot be kept: they are deleted with it";
        assert_eq!(error("cache"), (2, format!("{lost}; {volumes}")));
    }

    #[test]
    fn what_is_not_marked_for_deletion_is_kept() {
        assert_eq!(unmarked(&["minio", "pg"], &[0]), choice(true, &["pg"]).kept);
        assert!(unmarked(&["minio", "pg"], &[0, 1]).is_empty());
    }
}
