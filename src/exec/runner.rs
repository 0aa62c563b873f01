//! The only place that spawns processes.

use std::collections::HashMap;
use std::ffi::OsString;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use duct::unix::HandleExt as _;
use secrecy::ExposeSecret as _;

use super::invocation::{Invocation, Signals, Stdin, Stream, Tool};
use super::tools::ToolPaths;
use crate::env::{self, EnvVars};

/// Signal numbers of POSIX; the standard library has no names for them.
const SIGTERM: i32 = 15;
/// What [`EnvVars::GOGC`] is for the tools, in percent. They live for less than a second, a tenth to a fourth of which went into
/// collecting what the system takes back at its end.
const GOGC: &str = "400";
/// How long a child that got SIGTERM may still take to write down its state.
const TERM_GRACE: Duration = Duration::from_secs(20);

/// Which cluster the tools talk to.
#[derive(Debug, Clone, Default)]
pub struct Target {
    /// The kubeconfig file; `None` leaves the choice to the tools.
    pub kubeconfig: Option<PathBuf>,
    /// The kube-context; `None` is the current one.
    pub context: Option<String>,
}

/// What a child wrote that ended with exit code 0.
#[derive(Debug, Clone)]
pub struct Output {
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

/// Why a call of a tool failed.
#[derive(Debug, thiserror::Error)]
pub enum ExecError {
    /// The executable could not be started.
    #[error("could not start `{command}`")]
    Spawn {
        /// The command line.
        command: String,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The child ended with another code than 0.
    #[error("`{command}` failed with exit code {code}{}", indent(stderr))]
    Exit {
        /// The command line.
        command: String,
        /// The exit code.
        code: i32,
        /// The last lines of standard error.
        stderr: String,
    },
    /// The child was ended by a signal.
    #[error("`{command}` was ended by signal {signal}{}", indent(stderr))]
    Signal {
        /// The command line.
        command: String,
        /// The signal's number.
        signal: i32,
        /// The last lines of standard error.
        stderr: String,
    },
    /// The child took longer than it may and was ended.
    #[error("`{command}` did not end within {}s{}", limit.as_secs(), indent(stderr))]
    Timeout {
        /// The command line.
        command: String,
        /// The limit.
        limit: Duration,
        /// The last lines of standard error.
        stderr: String,
    },
    /// The run was interrupted before the child could start.
    #[error("interrupted before `{command}`")]
    Interrupted {
        /// The command line.
        command: String,
    },
}

impl ExecError {
    /// Returns the last lines of standard error, empty where the child wrote none.
    pub fn stderr(&self) -> &str {
        match self {
            Self::Exit { stderr, .. } | Self::Signal { stderr, .. } | Self::Timeout { stderr, .. } => stderr,
            Self::Spawn { .. } | Self::Interrupted { .. } => "",
        }
    }
}

/// Runs invocations against one cluster. Cheap to clone; clones share the list of running children.
#[derive(Debug, Clone)]
pub struct Runner {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    tools: ToolPaths,
    target: Target,
    interrupted: AtomicBool,
    next: AtomicU64,
    running: Mutex<HashMap<u64, (Signals, Arc<duct::Handle>)>>,
}

impl Runner {
    /// Returns a runner for the tools and the cluster.
    pub fn new(tools: ToolPaths, target: Target) -> Self {
        let shared = Shared {
            tools,
            target,
            interrupted: AtomicBool::new(false),
            next: AtomicU64::new(0),
            running: Mutex::default(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Returns a runner for tools that know no cluster; they are found on `PATH`.
    pub fn local() -> Self {
        let tools = ToolPaths { helm: Tool::Helm.name().into(), kubectl: Tool::Kubectl.name().into() };
        Self::new(tools, Target::default())
    }

    /// Returns a runner of the same tools and cluster that no interrupt has reached: for cleaning up after one.
    #[must_use]
    pub fn renewed(&self) -> Self {
        Self::new(self.shared.tools.clone(), self.shared.target.clone())
    }

    /// Returns the cluster that this runner talks to.
    pub fn target(&self) -> &Target {
        &self.shared.target
    }

    /// Runs a child to its end and returns what it wrote.
    pub async fn run(&self, invocation: Invocation) -> Result<Output, ExecError> {
        let runner = self.clone();
        let command = invocation.to_string();
        tokio::task::spawn_blocking(move || runner.run_blocking(&invocation))
            .await
            .unwrap_or_else(|join| Err(ExecError::Spawn { command, source: std::io::Error::other(join.to_string()) }))
    }

    /// Runs a child to its end whose standard error is ours, and whose standard output is or joins it.
    pub async fn pass_through(&self, invocation: Invocation, stream: Stream) -> Result<(), ExecError> {
        let runner = self.clone();
        let command = invocation.to_string();
        let failed = |source| ExecError::Spawn { command: command.clone(), source };
        let ended = tokio::task::spawn_blocking(move || {
            let expression = runner.expression(&invocation);
            match stream {
                Stream::Data => expression.run(),
                Stream::Talk => expression.stdout_to_stderr().run(),
            }
        })
        .await;
        let status = ended.map_err(|join| failed(std::io::Error::other(join.to_string())))?.map_err(failed)?.status;
        match (status.code(), status.signal()) {
            (Some(0), _) => Ok(()),
            (Some(code), _) => Err(ExecError::Exit { command, code, stderr: String::new() }),
            (None, signal) => Err(ExecError::Signal { command, signal: signal.unwrap_or(0), stderr: String::new() }),
        }
    }

    /// Lets no further child start that shares our process group; running ones go on.
    pub fn interrupt(&self) {
        self.shared.interrupted.store(true, Ordering::SeqCst);
    }

    /// Says whether [`Self::interrupt`] was called.
    pub fn is_interrupted(&self) -> bool {
        self.shared.interrupted.load(Ordering::SeqCst)
    }

    /// Sends SIGTERM to the running children that share our process group.
    pub fn terminate(&self) {
        let running = self.shared.running.lock().unwrap_or_else(PoisonError::into_inner);
        for (signals, handle) in running.values() {
            if *signals == Signals::Shared {
                // A child that has just ended is not an error.
                let _ = handle.send_signal(SIGTERM);
            }
        }
    }

    fn run_blocking(&self, invocation: &Invocation) -> Result<Output, ExecError> {
        let command = invocation.to_string();
        if self.is_interrupted() && invocation.signals == Signals::Shared {
            return Err(ExecError::Interrupted { command });
        }
        let expression = self.expression(invocation).stdout_capture().stderr_capture();
        let handle = expression.start().map_err(|source| ExecError::Spawn { command: command.clone(), source })?;
        let handle = Arc::new(handle);
        let id = self.shared.next.fetch_add(1, Ordering::Relaxed);
        self.children().insert(id, (invocation.signals, Arc::clone(&handle)));
        let waited = wait(&handle, invocation.timeout);
        self.children().remove(&id);
        let (output, timed_out) = waited.map_err(|source| ExecError::Spawn { command: command.clone(), source })?;
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        if timed_out {
            return Err(ExecError::Timeout { command, limit: invocation.timeout, stderr: tail(&stderr) });
        }
        match (output.status.code(), output.status.signal()) {
            (Some(0), _) => Ok(Output { stdout: String::from_utf8_lossy(&output.stdout).into_owned(), stderr }),
            (Some(code), _) => Err(ExecError::Exit { command, code, stderr: tail(&stderr) }),
            (None, signal) => Err(ExecError::Signal { command, signal: signal.unwrap_or(0), stderr: tail(&stderr) }),
        }
    }

    fn children(&self) -> std::sync::MutexGuard<'_, HashMap<u64, (Signals, Arc<duct::Handle>)>> {
        self.shared.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[expect(clippy::disallowed_methods, reason = "this is the one place")]
    pub(super) fn expression(&self, invocation: &Invocation) -> duct::Expression {
        let Target { kubeconfig, context } = &self.shared.target;
        let (program, context_flag) = match invocation.tool {
            Tool::Helm => (self.shared.tools.helm.clone().into_os_string(), Some("--kube-context")),
            Tool::Kubectl => (self.shared.tools.kubectl.clone().into_os_string(), Some("--context")),
            other => (OsString::from(other.name()), None),
        };
        let mut args: Vec<OsString> = invocation.args.iter().map(Into::into).collect();
        if let Some(context_flag) = context_flag {
            let kubeconfig = kubeconfig.iter().flat_map(|file| ["--kubeconfig".into(), file.into()]);
            let context = context.iter().flat_map(|name| [context_flag.into(), name.into()]);
            let target: Vec<OsString> = kubeconfig.chain(context).collect();
            // What stands behind `--` is a command of its own.
            let end = args.iter().position(|arg| arg == "--").unwrap_or(args.len());
            args.splice(end..end, target);
        }
        let mut expression = duct::cmd(program, args).unchecked();
        if env::get(EnvVars::GOGC).is_none() {
            expression = expression.env(EnvVars::GOGC, GOGC);
        }
        // The state of the releases is read from Secrets; another storage driver would hide them.
        expression = expression.env("HELM_DRIVER", "secret").env_remove("HELM_NAMESPACE").env_remove("HELM_DEBUG");
        expression = match &invocation.stdin {
            Stdin::Empty => expression.stdin_null(),
            Stdin::Plain(text) => expression.stdin_bytes(text.as_bytes()),
            Stdin::Secret(text) => expression.stdin_bytes(text.expose_secret().as_bytes()),
        };
        if invocation.signals == Signals::Isolated {
            expression = expression.before_spawn(|command| {
                command.process_group(0);
                Ok(())
            });
        }
        expression
    }
}

/// Waits for a child; after its limit it gets SIGTERM, and is killed only if that does not help.
fn wait(handle: &duct::Handle, limit: Duration) -> std::io::Result<(std::process::Output, bool)> {
    let deadline = Instant::now().checked_add(limit);
    if let Some(deadline) = deadline
        && let Some(output) = handle.wait_deadline(deadline)?
    {
        return Ok((output.clone(), false));
    }
    let _ = handle.send_signal(SIGTERM);
    if let Some(output) = handle.wait_timeout(TERM_GRACE)? {
        return Ok((output.clone(), true));
    }
    handle.kill()?;
    Ok((handle.wait()?.clone(), true))
}

/// Returns the last lines of standard error that say something, long ones cut short.
fn tail(stderr: &str) -> String {
    const LINES: usize = 12;
    const CHARACTERS: usize = 1000;
    let mut lines: Vec<&str> = stderr.lines().filter(|line| !line.trim().is_empty()).collect();
    lines.dedup();
    // kubectl logs every try of a discovery before it says what is wrong.
    if lines.iter().any(|line| !is_log(line)) {
        lines.retain(|line| !is_log(line));
    }
    let last = lines[lines.len().saturating_sub(LINES)..].iter();
    let cut = last.map(|line| match line.char_indices().nth(CHARACTERS) {
        // kubectl can answer with the whole object that it did not like.
        Some((end, _)) => format!("{}…", &line[..end]),
        None => (*line).to_owned(),
    });
    cut.collect::<Vec<_>>().join("\n")
}

/// Says whether a line is one of klog, such as `E1123 20:26:15.556780 …`.
fn is_log(line: &str) -> bool {
    let mut letters = line.chars();
    letters.next().is_some_and(|level| "EWI".contains(level))
        && letters.take(4).filter(char::is_ascii_digit).count() == 4
}

fn indent(stderr: &str) -> String {
    if stderr.is_empty() { String::new() } else { format!("\n    {}", stderr.replace('\n', "\n    ")) }
}
