//! Finding the tools and asking what they can do.

use std::path::PathBuf;

use semver::Version;

use super::invocation::{Invocation, Tool};
use super::runner::{ExecError, Runner};

/// The oldest helm that is supported: `upgrade --labels`, `--take-ownership` and OCI by digest are all there.
pub const MINIMUM_HELM: Version = Version::new(3, 19, 0);

/// Where the executables are.
#[derive(Debug, Clone)]
pub struct ToolPaths {
    /// The `helm` executable.
    pub helm: PathBuf,
    /// The `kubectl` executable.
    pub kubectl: PathBuf,
}

/// Why the tools cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ToolError {
    /// An executable is not on `PATH`.
    #[error("`{tool}` was not found{}", given.as_ref().map_or_else(|| " on PATH".into(), |path| format!(" at {}", path.display())))]
    NotFound {
        /// The missing tool.
        tool: Tool,
        /// The path that was asked for by flag, if any.
        given: Option<PathBuf>,
    },
    /// helm is older than [`MINIMUM_HELM`].
    #[error("helm {found} is too old, {MINIMUM_HELM} or newer is needed")]
    TooOld {
        /// The version that was found.
        found: Version,
    },
    /// The tool does not answer as it should.
    #[error("`{tool}` does not tell its version: {answer}")]
    Unreadable {
        /// The tool.
        tool: Tool,
        /// What it said.
        answer: String,
    },
    /// Nothing that builds images is on `PATH`.
    #[error("neither docker, podman, nerdctl nor buildah was found on PATH")]
    NoEngine,
    /// No engine has this name.
    #[error("`{name}` is none of docker, podman, nerdctl and buildah")]
    UnknownEngine {
        /// The name.
        name: String,
    },
    /// The tool could not be run.
    #[error(transparent)]
    Exec(#[from] ExecError),
}

impl ToolPaths {
    /// Finds both executables, on `PATH` or where the flags say.
    pub fn find(helm: Option<PathBuf>, kubectl: Option<PathBuf>) -> Result<Self, ToolError> {
        Ok(Self { helm: find(Tool::Helm, helm)?, kubectl: find(Tool::Kubectl, kubectl)? })
    }
}

/// The engines that build images, in the order in which they are looked for.
const ENGINES: [Tool; 4] = [Tool::Docker, Tool::Podman, Tool::Nerdctl, Tool::Buildah];

/// Finds an engine that builds images: the one that was named, or the first one on `PATH`.
pub fn find_engine(name: Option<&str>) -> Result<Tool, ToolError> {
    let on_path = |tool: &Tool| which::which(tool.name()).is_ok();
    match name {
        None => ENGINES.into_iter().find(on_path).ok_or(ToolError::NoEngine),
        Some(name) => match ENGINES.into_iter().find(|tool| tool.name() == name) {
            Some(tool) if on_path(&tool) => Ok(tool),
            Some(tool) => Err(ToolError::NotFound { tool, given: None }),
            None => Err(ToolError::UnknownEngine { name: name.to_owned() }),
        },
    }
}

fn find(tool: Tool, given: Option<PathBuf>) -> Result<PathBuf, ToolError> {
    let wanted = given.clone().unwrap_or_else(|| PathBuf::from(tool.name()));
    which::which(wanted).map_err(|_| ToolError::NotFound { tool, given })
}

/// What was found out about the tools, once per run.
#[derive(Debug, Clone)]
pub struct Tools {
    /// helm's version. kubectl tells its own with that of the cluster.
    pub helm: Version,
}

impl Tools {
    /// Asks helm for its version.
    pub async fn probe(runner: &Runner) -> Result<Self, ToolError> {
        let call = Invocation::new(Tool::Helm, ["version", "--template", "{{.Version}}"]);
        let helm = parse(Tool::Helm, &runner.run(call).await?.stdout)?;
        if helm < MINIMUM_HELM {
            return Err(ToolError::TooOld { found: helm });
        }
        Ok(Self { helm })
    }

    /// Says whether helm is of the fourth generation, whose flags differ.
    pub fn is_helm4(&self) -> bool {
        self.helm.major >= 4
    }
}

fn parse(tool: Tool, answer: &str) -> Result<Version, ToolError> {
    let text = answer.trim().trim_start_matches('v');
    Version::parse(text).map_err(|_| ToolError::Unreadable { tool, answer: answer.trim().to_owned() })
}
