//! Where the stack's files come from: the binary itself or a folder.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use include_dir::{Dir, include_dir};

static HELM_VALUES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/helm-values");
static CHARTS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/charts");
static K8S: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/k8s");
static WORKFLOWS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/workflows");
const STACK: &str = include_str!("../../stack.yaml");

/// Why a file of the stack cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// There is no such file.
    #[error("the stack has no file {path}")]
    Missing {
        /// The path below the stack's folder.
        path: String,
    },
    /// There is no such folder.
    #[error("--stack: {} is not a folder", path.display())]
    NoFolder {
        /// The path that was given.
        path: PathBuf,
    },
    /// The path leads out of the stack's folder.
    #[error("{path} leads out of the stack's folder")]
    Outside {
        /// The path.
        path: String,
    },
    /// The file is not text.
    #[error("{path} is not UTF-8 text")]
    NotText {
        /// The path.
        path: String,
    },
    /// The file cannot be read.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// The files of a stack.
#[derive(Debug, Clone)]
pub enum StackSource {
    /// Those inside this binary.
    Embedded,
    /// A folder with `stack.yaml`, `helm-values/` and `charts/`. Not trusted: nothing outside of it is read.
    Folder(PathBuf),
}

impl StackSource {
    /// Opens a folder.
    pub fn folder(path: &Path) -> Result<Self, SourceError> {
        if !path.is_dir() {
            return Err(SourceError::NoFolder { path: path.to_owned() });
        }
        Ok(Self::Folder(fs_err::canonicalize(path)?))
    }

    /// Returns the path to show for a file of the stack.
    pub fn display_path(&self, path: &str) -> PathBuf {
        match self {
            Self::Embedded => PathBuf::from(path),
            Self::Folder(root) => root.join(path),
        }
    }

    /// Reads a text file.
    pub fn read(&self, path: &str) -> Result<String, SourceError> {
        let bytes = match self {
            Self::Embedded => embedded(path)?.to_vec(),
            Self::Folder(root) => fs_err::read(inside(root, path)?)?,
        };
        String::from_utf8(bytes).map_err(|_| SourceError::NotText { path: path.to_owned() })
    }

    /// Returns the paths of the files of a folder whose names end with `suffix`, sorted. No folder is no file.
    pub fn list(&self, folder: &str, suffix: &str) -> Result<Vec<String>, SourceError> {
        let names: Vec<String> = match self {
            Self::Embedded => {
                let mut files = BTreeMap::new();
                collect_embedded(embedded_folder(folder)?, "", &mut files);
                files.into_keys().collect()
            }
            Self::Folder(root) => match inside(root, folder) {
                Ok(path) => read_folder(&path)?.into_keys().collect(),
                Err(SourceError::Missing { .. }) => Vec::new(),
                Err(error) => return Err(error),
            },
        };
        let matching = names.into_iter().filter(|name| name.ends_with(suffix));
        Ok(matching.map(|name| format!("{folder}/{name}")).collect())
    }

    /// Returns the files of a chart folder by path below it, sorted.
    pub fn chart_files(&self, name: &str) -> Result<BTreeMap<String, Vec<u8>>, SourceError> {
        let path = format!("charts/{name}");
        match self {
            Self::Embedded => {
                let dir = CHARTS.get_dir(name).ok_or(SourceError::Missing { path })?;
                let mut files = BTreeMap::new();
                collect_embedded(dir, name, &mut files);
                Ok(files)
            }
            Self::Folder(root) => read_folder(&inside(root, &path)?),
        }
    }
}

/// Returns the files of a folder by path below it, sorted. Links are not followed.
pub(crate) fn read_folder(root: &Path) -> Result<BTreeMap<String, Vec<u8>>, SourceError> {
    let mut files = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs_err::read_dir(&folder)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() {
                let name = entry.path().strip_prefix(root).unwrap_or(&entry.path()).to_string_lossy().into_owned();
                files.insert(name, fs_err::read(entry.path())?);
            }
        }
    }
    Ok(files)
}

fn embedded(path: &str) -> Result<&'static [u8], SourceError> {
    let missing = || SourceError::Missing { path: path.to_owned() };
    if path == "stack.yaml" {
        return Ok(STACK.as_bytes());
    }
    let (folder, rest) = path.split_once('/').ok_or_else(missing)?;
    embedded_folder(folder)?.get_file(rest).map(include_dir::File::contents).ok_or_else(missing)
}

fn embedded_folder(folder: &str) -> Result<&'static Dir<'static>, SourceError> {
    Ok(match folder {
        "helm-values" => &HELM_VALUES,
        "charts" => &CHARTS,
        "k8s" => &K8S,
        "workflows" => &WORKFLOWS,
        _ => return Err(SourceError::Missing { path: folder.to_owned() }),
    })
}

fn collect_embedded(dir: &Dir<'static>, root: &str, files: &mut BTreeMap<String, Vec<u8>>) {
    for file in dir.files() {
        let path = file.path().strip_prefix(root).unwrap_or(file.path());
        files.insert(path.to_string_lossy().into_owned(), file.contents().to_vec());
    }
    for child in dir.dirs() {
        collect_embedded(child, root, files);
    }
}

/// Returns the real path of a file below a folder; a link may not lead out of it.
fn inside(root: &Path, path: &str) -> Result<PathBuf, SourceError> {
    let plain = Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
    if !plain {
        return Err(SourceError::Outside { path: path.to_owned() });
    }
    let joined = root.join(path);
    let real = match fs_err::canonicalize(&joined) {
        Ok(real) => real,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(SourceError::Missing { path: path.to_owned() });
        }
        Err(error) => return Err(error.into()),
    };
    if real.starts_with(root) { Ok(real) } else { Err(SourceError::Outside { path: path.to_owned() }) }
}
