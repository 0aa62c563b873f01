//! `mlops.lock`: the digest of every chart that comes from outside, recorded on first use.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// The name of the lock file, beside the config file.
pub const LOCK_FILE: &str = "mlops.lock";

const HEADER: &str =
    "# Digests of the charts, written by mlopsctl. Commit this file; `mlopsctl lock --update` renews it.\n";

/// Why the lock file or a chart is refused.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// The chart is not the one that was locked.
    #[error("chart {} {} from {} has {}, but {} has {locked}", found.name, found.version, found.source, found.digest, path.display())]
    Differs {
        /// The chart as fetched.
        found: Box<LockEntry>,
        /// The digest in the lock file.
        locked: String,
        /// The lock file.
        path: PathBuf,
    },
    /// The lock file is not readable as one.
    #[error("{}: {message}", path.display())]
    Invalid {
        /// The lock file.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// The lock file cannot be read or written.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// The content of the lock file.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Lock {
    /// The locked charts, sorted.
    charts: Vec<LockEntry>,
}

/// One locked chart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LockEntry {
    /// Name of the chart.
    pub name: String,
    /// Version of the chart.
    pub version: String,
    /// The repository's URL, or `directory` for charts of `--charts`.
    pub source: String,
    /// `sha256:` and 64 hex digits.
    pub digest: String,
}

impl Lock {
    /// Reads a lock file; a missing one is empty.
    pub fn read(path: &Path) -> Result<Self, LockError> {
        match fs_err::read_to_string(path) {
            Ok(text) => serde_saphyr::from_str(&text).map_err(|error| LockError::Invalid {
                path: path.to_owned(),
                message: error.without_snippet().to_string(),
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error.into()),
        }
    }

    /// Writes the lock file, whole or not at all.
    pub fn write(&self, path: &Path) -> Result<(), LockError> {
        let body = serde_saphyr::to_string(self)
            .map_err(|error| LockError::Invalid { path: path.to_owned(), message: error.to_string() })?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        // The file is shared by git; the mode is cut down by the umask.
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
        let mut file = tempfile::Builder::new().permissions(mode).tempfile_in(folder)?;
        std::io::Write::write_all(&mut file, format!("{HEADER}{body}").as_bytes())?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    }

    /// Returns the entries.
    pub fn entries(&self) -> &[LockEntry] {
        &self.charts
    }

    /// Records a chart, whatever stood there before.
    pub fn renew(&mut self, entry: LockEntry) {
        self.charts.retain(|known| {
            (&known.name, &known.version, &known.source) != (&entry.name, &entry.version, &entry.source)
        });
        self.charts.push(entry);
        self.charts.sort();
    }

    /// Holds a chart against the lock. Returns true if it is new and was added.
    pub fn check(&mut self, path: &Path, entry: LockEntry) -> Result<bool, LockError> {
        let known = self
            .charts
            .iter()
            .find(|known| known.name == entry.name && known.version == entry.version && known.source == entry.source);
        match known {
            Some(known) if known.digest == entry.digest => Ok(false),
            Some(known) => Err(LockError::Differs {
                found: Box::new(entry.clone()),
                locked: known.digest.clone(),
                path: path.to_owned(),
            }),
            None => {
                self.charts.push(entry);
                self.charts.sort();
                Ok(true)
            }
        }
    }
}
