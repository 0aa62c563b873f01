//! Reading chart archives and folders.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::render::documents;
use crate::stack::SourceError;

/// More than any chart holds; an archive that unpacks to more is refused.
const SIZE_LIMIT: u64 = 256 * 1024 * 1024;

/// Why a chart cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ChartError {
    /// The archive or folder cannot be read.
    #[error("chart {} cannot be read", path.display())]
    Io {
        /// The chart.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The folder cannot be read.
    #[error(transparent)]
    Folder(#[from] SourceError),
    /// A CRD in the chart is not YAML.
    #[error("chart {}: {file}: {message}", path.display())]
    Crd {
        /// The chart.
        path: PathBuf,
        /// The file in it.
        file: String,
        /// What the parser says.
        message: String,
    },
}

/// Returns the files of a chart by path below its root. Packed sub-charts are unpacked in place.
pub fn read_chart(path: &Path) -> Result<BTreeMap<String, Vec<u8>>, ChartError> {
    let failed = |source| ChartError::Io { path: path.to_owned(), source };
    let files = if path.is_dir() {
        crate::stack::read_folder(path)?
    } else {
        unpack(&fs_err::read(path).map_err(failed)?).map_err(failed)?
    };
    with_sub_charts(files).map_err(failed)
}

fn with_sub_charts(files: BTreeMap<String, Vec<u8>>) -> std::io::Result<BTreeMap<String, Vec<u8>>> {
    let mut all = BTreeMap::new();
    for (file, content) in files {
        match file.strip_prefix("charts/").and_then(|name| name.strip_suffix(".tgz")) {
            Some(archive) if !archive.contains('/') => {
                // NAME-VERSION: the version begins at the last dash before a digit.
                let name = archive
                    .rmatch_indices('-')
                    .find(|(at, _)| archive[at + 1..].starts_with(|c: char| c.is_ascii_digit() || c == 'v'));
                let name = name.map_or(archive, |(at, _)| &archive[..at]);
                for (inner, content) in with_sub_charts(unpack(&content)?)? {
                    all.insert(format!("charts/{name}/{inner}"), content);
                }
            }
            _ => {
                all.insert(file, content);
            }
        }
    }
    Ok(all)
}

fn unpack(bytes: &[u8]) -> std::io::Result<BTreeMap<String, Vec<u8>>> {
    let mut files = BTreeMap::new();
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(bytes).take(SIZE_LIMIT));
    for entry in archive.entries()? {
        let mut entry = entry?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        // The first part of the path is the chart's name.
        let path: PathBuf = entry.path()?.components().skip(1).collect();
        let mut content = Vec::new();
        entry.read_to_end(&mut content)?;
        files.insert(path.to_string_lossy().into_owned(), content);
    }
    Ok(files)
}

/// Returns the SHA-256 over the sorted paths and contents, as hex. The same for a folder and its archive.
pub fn content_digest(files: &BTreeMap<String, Vec<u8>>) -> String {
    let mut hash = Sha256::new();
    for (path, content) in files {
        // Lengths keep two different sets from giving the same bytes.
        hash.update((path.len() as u64).to_be_bytes());
        hash.update(path.as_bytes());
        hash.update((content.len() as u64).to_be_bytes());
        hash.update(content);
    }
    hex(&hash.finalize())
}

/// Returns bytes as lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Returns the CustomResourceDefinitions in the `crds/` folders of a chart and its sub-charts.
pub fn crds_of(path: &Path, files: &BTreeMap<String, Vec<u8>>) -> Result<Vec<Value>, ChartError> {
    let mut crds = Vec::new();
    for (file, content) in files {
        if is_crd_file(file) {
            let text = String::from_utf8_lossy(content);
            let wrong = |message| ChartError::Crd { path: path.to_owned(), file: file.clone(), message };
            crds.extend(documents(&text).map_err(|error| wrong(error.to_string()))?);
        }
    }
    crds.retain(|object| object["kind"] == "CustomResourceDefinition");
    Ok(crds)
}

/// Says whether a path is `crds/…` of the chart or of a sub-chart at any depth.
fn is_crd_file(path: &str) -> bool {
    let mut rest = path;
    while let Some(inner) = rest.strip_prefix("charts/") {
        let Some((_, below)) = inner.split_once('/') else { return false };
        rest = below;
    }
    let extension = Path::new(rest).extension().and_then(|extension| extension.to_str());
    rest.starts_with("crds/") && matches!(extension, Some("yaml" | "yml" | "json"))
}
