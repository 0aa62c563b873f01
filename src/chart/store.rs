//! Fetching charts.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use super::archive::{ChartError, content_digest, hex, read_chart};
use super::lock::{LockEntry, LockError};
use crate::exec::{ExecError, Invocation, Runner, Tool};
use crate::stack::{ChartRef, SourceError, StackSource};

/// A slow line may need this for the largest chart.
const PULL_LIMIT: Duration = Duration::from_mins(3);

/// Why a chart cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// `--charts DIR` does not hold the chart.
    #[error("{} holds no chart {name} {version}", folder.display())]
    NotInFolder {
        /// The folder.
        folder: PathBuf,
        /// The chart.
        name: String,
        /// The wanted version.
        version: String,
    },
    /// helm could not pull the chart.
    #[error("chart {name} {version} could not be pulled from {repository}")]
    Pull {
        /// The chart.
        name: String,
        /// The version.
        version: String,
        /// The repository.
        repository: String,
        /// What helm said.
        source: Box<ExecError>,
    },
    /// The chart is not the locked one.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// A chart of the stack cannot be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The chart cannot be read.
    #[error(transparent)]
    Chart(#[from] ChartError),
    /// The cache cannot be written.
    #[error("the chart cache cannot be written")]
    Cache(#[from] std::io::Error),
}

/// A chart on disk.
#[derive(Debug, Clone)]
pub struct Chart {
    /// What helm gets: an archive or a folder.
    pub path: PathBuf,
    /// SHA-256 over its content, hex.
    pub digest: String,
    /// Its version.
    pub version: String,
    /// Its files by path.
    pub files: std::sync::Arc<BTreeMap<String, Vec<u8>>>,
    /// What the lock file says of it; none for charts of the stack itself.
    pub lock: Option<LockEntry>,
}

/// Where charts come from.
#[derive(Debug, Clone)]
pub struct ChartStore {
    /// The stack's own files.
    pub source: StackSource,
    /// `--charts DIR`: all upstream charts come from here, the network is not used.
    pub folder: Option<PathBuf>,
    /// The cache.
    pub cache: PathBuf,
    /// The folder of the config file, for charts beside it.
    pub base: PathBuf,
}

impl ChartStore {
    /// Fetches charts, those of repositories in parallel.
    pub async fn fetch(
        &self,
        runner: &Runner,
        charts: impl IntoIterator<Item = ChartRef>,
    ) -> Result<BTreeMap<ChartRef, Chart>, FetchError> {
        let mut tasks = tokio::task::JoinSet::new();
        for chart in charts {
            let (store, runner) = (self.clone(), runner.clone());
            tasks.spawn(async move { store.fetch_one(&runner, &chart).await.map(|found| (chart, found)) });
        }
        let mut found = BTreeMap::new();
        while let Some(result) = tasks.join_next().await {
            let (chart, fetched) = result.map_err(std::io::Error::other)??;
            found.insert(chart, fetched);
        }
        Ok(found)
    }

    async fn fetch_one(&self, runner: &Runner, chart: &ChartRef) -> Result<Chart, FetchError> {
        match chart {
            ChartRef::Stack { name } => self.own(name),
            ChartRef::Path { path } => read(self.base.join(path), None),
            ChartRef::Upstream { repository, name, version } => {
                if let Some(folder) = &self.folder {
                    let path = in_folder(folder, name, version)?;
                    read(path, Some(("directory", name, version)))
                } else {
                    let path = self.pull(runner, repository, name, version).await?;
                    read(path, Some((repository, name, version)))
                }
            }
        }
    }

    /// Writes a chart of the stack into the cache, where helm can read it; its folder is named by its content.
    fn own(&self, name: &str) -> Result<Chart, FetchError> {
        let files = self.source.chart_files(name)?;
        let digest = content_digest(&files);
        let path = self.cache.join("stack").join(&digest).join(name);
        // A folder that was half written or changed by somebody is written anew.
        if crate::stack::read_folder(&path).map_or(true, |found| found != files) {
            write_folder(&path, &files)?;
        }
        let version = version_of(&files);
        Ok(Chart { path, digest, version, files: files.into(), lock: None })
    }

    async fn pull(&self, runner: &Runner, repository: &str, name: &str, version: &str) -> Result<PathBuf, FetchError> {
        let folder = self.cache.join("charts").join(&hex(&Sha256::digest(repository.as_bytes()))[..16]);
        let path = folder.join(format!("{name}-{version}.tgz"));
        if path.is_file() {
            return Ok(path);
        }
        fs_err::create_dir_all(&folder)?;
        let work = tempfile::tempdir_in(&folder)?;
        let destination = work.path().to_string_lossy().into_owned();
        let pull = Invocation::new(Tool::Helm, ["pull"]);
        let pull = if repository.starts_with("oci://") {
            pull.arg(format!("{}/{name}", repository.trim_end_matches('/')))
        } else {
            pull.args([name, "--repo", repository])
        };
        let pull = pull.args(["--version", version, "--destination", &destination]).timeout(PULL_LIMIT);
        runner.run(pull).await.map_err(|source| FetchError::Pull {
            name: name.to_owned(),
            version: version.to_owned(),
            repository: repository.to_owned(),
            source: Box::new(source),
        })?;
        let pulled = fs_err::read_dir(work.path())?.filter_map(Result::ok).map(|entry| entry.path());
        let archive = pulled.into_iter().find(|path| path.extension().is_some_and(|extension| extension == "tgz"));
        let archive = archive.ok_or_else(|| std::io::Error::other(format!("helm pulled no archive of {name}")))?;
        fs_err::rename(archive, &path)?;
        Ok(path)
    }
}

/// Finds `NAME-VERSION.tgz`, or a folder `NAME-VERSION` or `NAME` whose `Chart.yaml` has that version.
fn in_folder(folder: &Path, name: &str, version: &str) -> Result<PathBuf, FetchError> {
    let bare = version.trim_start_matches('v');
    let candidates =
        [format!("{name}-{version}.tgz"), format!("{name}-{bare}.tgz"), format!("{name}-{version}"), name.to_owned()];
    for candidate in candidates {
        let path = folder.join(candidate);
        if path.is_file() {
            return Ok(path);
        }
        let found = fs_err::read(path.join("Chart.yaml")).map(|text| chart_version(&text));
        if found.is_ok_and(|found| found.trim_start_matches('v') == bare) {
            return Ok(path);
        }
    }
    Err(FetchError::NotInFolder { folder: folder.to_owned(), name: name.to_owned(), version: version.to_owned() })
}

fn read(path: PathBuf, outside: Option<(&str, &str, &str)>) -> Result<Chart, FetchError> {
    let files = read_chart(&path)?;
    let digest = content_digest(&files);
    let lock = outside.map(|(source, name, version)| LockEntry {
        name: name.to_owned(),
        version: version.to_owned(),
        source: source.to_owned(),
        digest: format!("sha256:{digest}"),
    });
    let version = version_of(&files);
    Ok(Chart { path, digest, version, files: files.into(), lock })
}

fn version_of(files: &BTreeMap<String, Vec<u8>>) -> String {
    files.get("Chart.yaml").map(|text| chart_version(text)).unwrap_or_default()
}

fn chart_version(text: &[u8]) -> String {
    let chart: serde_json::Value = serde_saphyr::from_slice(text).unwrap_or_default();
    chart["version"].as_str().unwrap_or_default().to_owned()
}

fn write_folder(path: &Path, files: &BTreeMap<String, Vec<u8>>) -> std::io::Result<()> {
    let parent = path.parent().unwrap_or(path);
    fs_err::create_dir_all(parent)?;
    let work = tempfile::tempdir_in(parent)?;
    for (name, content) in files {
        let file = work.path().join(name);
        fs_err::create_dir_all(file.parent().unwrap_or(work.path()))?;
        fs_err::write(file, content)?;
    }
    if path.exists() {
        fs_err::remove_dir_all(path)?;
    }
    match fs_err::rename(work.keep(), path) {
        // Another run has written the same content in between.
        Err(_) if path.is_dir() => Ok(()),
        other => other,
    }
}
