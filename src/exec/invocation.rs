//! What is to be run, as data.

use std::fmt;
use std::time::Duration;

use secrecy::SecretString;

/// An executable that `mlopsctl` drives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tool {
    /// The `helm` client, 3.19 or newer.
    Helm,
    /// The `kubectl` client.
    Kubectl,
    /// Docker's client.
    Docker,
    /// Podman.
    Podman,
    /// containerd's client for people.
    Nerdctl,
    /// Buildah.
    Buildah,
    /// K3s, for its `ctr`.
    K3s,
    /// Runs another tool as root.
    Sudo,
}

impl Tool {
    /// Returns the name of the executable.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Helm => "helm",
            Self::Kubectl => "kubectl",
            Self::Docker => "docker",
            Self::Podman => "podman",
            Self::Nerdctl => "nerdctl",
            Self::Buildah => "buildah",
            Self::K3s => "k3s",
            Self::Sudo => "sudo",
        }
    }
}

impl fmt::Display for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a child reads on its standard input.
#[derive(Debug, Clone, Default)]
pub enum Stdin {
    /// Nothing.
    #[default]
    Empty,
    /// Text that may be shown, such as rendered values.
    Plain(String),
    /// Text that is never shown.
    Secret(SecretString),
}

/// Whether a child gets the terminal's Ctrl-C.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Signals {
    /// The child is in our process group. helm answers SIGINT on `upgrade --install` with a clean `failed` release.
    #[default]
    Shared,
    /// The child is in a group of its own and runs to its end: helm leaves `uninstalling` and `pending-rollback`
    /// behind when `uninstall` or `rollback` is interrupted.
    Isolated,
}

/// What the standard output of a child is whose output is ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// The command's result.
    Data,
    /// Talk; it goes to standard error.
    Talk,
}

/// One call of a tool. Arguments never hold a secret; [`Stdin::Secret`] does.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// The executable.
    pub tool: Tool,
    /// The arguments, without those for kubeconfig and kube-context, which the runner adds.
    pub args: Vec<String>,
    /// The standard input.
    pub stdin: Stdin,
    /// How long the child may run before it gets SIGTERM.
    pub timeout: Duration,
    /// Whether the child shares our process group.
    pub signals: Signals,
}

/// How long a call may take that has no reason to take long.
const SHORT: Duration = Duration::from_mins(1);

impl Invocation {
    /// Returns a call of `tool` with arguments, no input and a limit of one minute.
    pub fn new<S: Into<String>>(tool: Tool, args: impl IntoIterator<Item = S>) -> Self {
        Self {
            tool,
            args: args.into_iter().map(Into::into).collect(),
            stdin: Stdin::Empty,
            timeout: SHORT,
            signals: Signals::Shared,
        }
    }

    /// Appends one argument.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<String>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Appends arguments.
    #[must_use]
    pub fn args<S: Into<String>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets the standard input.
    #[must_use]
    pub fn stdin(mut self, stdin: Stdin) -> Self {
        self.stdin = stdin;
        self
    }

    /// Sets the time limit.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Puts the child into a process group of its own, out of reach of Ctrl-C.
    #[must_use]
    pub fn isolated(mut self) -> Self {
        self.signals = Signals::Isolated;
        self
    }
}

impl fmt::Display for Invocation {
    /// Writes the command as a user would type it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.tool)?;
        for arg in &self.args {
            if !arg.is_empty() && arg.chars().all(|c| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c)) {
                write!(f, " {arg}")?;
            } else {
                write!(f, " '{}'", arg.replace('\'', r"'\''"))?;
            }
        }
        Ok(())
    }
}
