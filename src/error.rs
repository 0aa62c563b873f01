//! What a command ends with when it does not succeed.

use std::process::ExitCode;

use crate::chart::{FetchError, LockError};
use crate::cluster::{ApiFault, LeaseError, classify};
use crate::config::ConfigError;
use crate::exec::{ExecError, MINIMUM_HELM, ToolError};
use crate::plan::PlanError;
use crate::stack::{SourceError, StackError};

/// The documented exit codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitStatus {
    /// 0: done.
    Success,
    /// 1: the operation failed.
    Failure,
    /// 2: the command line, the config file or a template is wrong.
    Usage,
    /// 3: something that must hold before the operation does not.
    Preflight,
    /// 4: `status`, `diagnose` or `verify` found something that is not as it should be.
    Degraded,
    /// 5: `plan --exit-code` found changes.
    Changes,
    /// 70: a bug.
    Bug,
    /// 130: interrupted.
    Interrupted,
}

impl ExitStatus {
    /// Returns the number.
    pub const fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Failure => 1,
            Self::Usage => 2,
            Self::Preflight => 3,
            Self::Degraded => 4,
            Self::Changes => 5,
            Self::Bug => 70,
            Self::Interrupted => 130,
        }
    }
}

impl From<ExitStatus> for ExitCode {
    fn from(status: ExitStatus) -> Self {
        Self::from(status.code())
    }
}

/// An error of a command, with what it ends with and what to do.
#[derive(Debug)]
pub(crate) struct CommandError {
    /// The exit status.
    pub status: ExitStatus,
    /// What happened, with the causes behind it.
    pub error: anyhow::Error,
    /// The commands or changes that help.
    pub hints: Vec<String>,
}

/// What a command returns.
pub(crate) type CommandResult = Result<ExitStatus, CommandError>;

impl CommandError {
    /// Returns an error with a status.
    pub(crate) fn new(status: ExitStatus, error: impl Into<anyhow::Error>) -> Self {
        Self { status, error: error.into(), hints: Vec::new() }
    }

    /// Returns an error of the command line.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(ExitStatus::Usage, anyhow::Error::msg(message.into()))
    }

    /// Adds what helps.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }
}

impl From<ConfigError> for CommandError {
    fn from(error: ConfigError) -> Self {
        let missing = matches!(error, ConfigError::Missing { .. });
        let error = Self::new(ExitStatus::Usage, error);
        if missing { error.hint("`mlopsctl init` writes one, `--config FILE` names another") } else { error }
    }
}

impl From<StackError> for CommandError {
    fn from(error: StackError) -> Self {
        let hint = match &error {
            StackError::UnknownRelease { suggestion: Some(name), .. } => Some(format!("did you mean `{name}`?")),
            StackError::Cycle { .. } => Some("take one of these needs out".to_owned()),
            _ => None,
        };
        let error = Self::new(ExitStatus::Usage, error);
        match hint {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }
}

impl From<SourceError> for CommandError {
    fn from(error: SourceError) -> Self {
        Self::new(ExitStatus::Usage, error)
    }
}

impl From<ToolError> for CommandError {
    fn from(error: ToolError) -> Self {
        let hint = match &error {
            ToolError::NotFound { tool: crate::exec::Tool::Helm, .. } => {
                format!(
                    "install helm {MINIMUM_HELM} or newer (https://helm.sh/docs/intro/install/), or name it with --helm"
                )
            }
            ToolError::NoEngine | ToolError::UnknownEngine { .. } => {
                "install one of them, or name it with --engine".into()
            }
            ToolError::NotFound { tool, .. } if *tool != crate::exec::Tool::Kubectl => {
                format!("install {tool}, or name another with --engine")
            }
            ToolError::NotFound { .. } => {
                "install kubectl (https://kubernetes.io/docs/tasks/tools/), or name it with --kubectl".into()
            }
            ToolError::TooOld { .. } => {
                "install a newer helm (https://helm.sh/docs/intro/install/), or name one with --helm".into()
            }
            ToolError::Unreadable { .. } => "is it really that tool?".into(),
            ToolError::Exec(_) => "does `helm version` or `kubectl version --client` work?".into(),
        };
        Self::new(ExitStatus::Preflight, error).hint(hint)
    }
}

impl From<ExecError> for CommandError {
    fn from(error: ExecError) -> Self {
        if let ExecError::Interrupted { .. } = error {
            return Self::new(ExitStatus::Interrupted, error);
        }
        let Some(fault) = classify(&error) else { return Self::new(ExitStatus::Failure, error) };
        let hint = match fault {
            ApiFault::NoKubeconfig => no_kubeconfig(),
            ApiFault::BadKubeconfig => "check the file that --kubeconfig or KUBECONFIG names".into(),
            ApiFault::UnknownContext => {
                "`kubectl config get-contexts` lists the contexts; set `cluster.context` or --context".into()
            }
            ApiFault::Unreachable => {
                "is the cluster up, and is this the right one? `kubectl cluster-info` asks it".into()
            }
            ApiFault::Certificate => "the kubeconfig does not fit this server; was the cluster made anew?".into(),
            ApiFault::Unauthorized => "the credentials in the kubeconfig are not valid (any more)".into(),
            ApiFault::Forbidden => "`kubectl auth can-i --list` shows what this user may do".into(),
        };
        Self::new(ExitStatus::Preflight, error).hint(hint)
    }
}

/// Names K3s's own kubeconfig where it is the way out.
fn no_kubeconfig() -> String {
    const K3S: &str = "/etc/rancher/k3s/k3s.yaml";
    if fs_err::File::open(K3S).is_ok() {
        format!("K3s keeps its kubeconfig in {K3S}: add `--kubeconfig {K3S}`")
    } else if std::path::Path::new(K3S).exists() {
        format!(
            "K3s keeps its kubeconfig in {K3S}, which this user cannot read: sudo install -m 600 -o $USER {K3S} ~/.kube/config"
        )
    } else {
        "name one with --kubeconfig or KUBECONFIG".into()
    }
}

impl From<FetchError> for CommandError {
    fn from(error: FetchError) -> Self {
        if let FetchError::Lock(error) = error {
            return error.into();
        }
        let hint = match &error {
            FetchError::NotInFolder { folder, name, version } => {
                Some(format!("put {name}-{version}.tgz into {}", folder.display()))
            }
            FetchError::Pull { .. } => {
                Some("without a network, `--charts DIR` takes the charts from a folder".to_owned())
            }
            FetchError::Cache(_) => Some("`--cache-dir DIR` names another cache".to_owned()),
            _ => None,
        };
        let error = Self::new(ExitStatus::Preflight, error);
        match hint {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }
}

impl From<LockError> for CommandError {
    fn from(error: LockError) -> Self {
        let differs = matches!(error, LockError::Differs { .. });
        let error = Self::new(ExitStatus::Preflight, error);
        if differs { error.hint("if the new chart is wanted: mlopsctl lock --update") } else { error }
    }
}

impl From<Vec<PlanError>> for CommandError {
    fn from(errors: Vec<PlanError>) -> Self {
        let mut hints: Vec<String> = Vec::new();
        for error in &errors {
            let hint = match error {
                PlanError::OtherStack { found, .. } => {
                    format!("is this the right cluster? If it is, set `stackId: {found}`")
                }
                PlanError::Terminating { namespace } => {
                    format!("wait until it is gone: kubectl wait --for=delete namespace/{namespace}")
                }
                PlanError::Foreign { release, namespace, .. } => {
                    format!("uninstall it (helm uninstall {release} -n {namespace}), or use other `namespaces`")
                }
                PlanError::MissingSecret { .. } | PlanError::IncompleteSecret { .. } => {
                    "`mlopsctl render` writes the form of every Secret".into()
                }
            };
            if !hints.contains(&hint) {
                hints.push(hint);
            }
        }
        let line = |error: &PlanError| match crate::fault::of_plan(error) {
            Some(code) => format!("{code} {error}"),
            None => error.to_string(),
        };
        let text = errors.iter().map(line).collect::<Vec<_>>().join("\n");
        Self { status: ExitStatus::Preflight, error: anyhow::Error::msg(text), hints }
    }
}

impl From<crate::apply::RunError> for CommandError {
    fn from(error: crate::apply::RunError) -> Self {
        use crate::apply::RunError;
        match error {
            RunError::Namespaces(ExecError::Interrupted { .. }) => Self::new(ExitStatus::Interrupted, error),
            RunError::Lease(LeaseError::Held { .. }) => Self::new(ExitStatus::Failure, error)
                .hint("wait until it is done; a run that was killed is noticed after 15 seconds"),
            other => Self::new(ExitStatus::Failure, other).hint("`mlopsctl up` goes on from here"),
        }
    }
}
