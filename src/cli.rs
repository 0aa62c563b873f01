//! The command line, as clap's types and nothing else.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

pub(crate) use self::models::{
    BuildArgs, ImagesArgs, ImagesCommand, ModelCommand, PipelineCommand, PipelineLogsArgs, PipelineRunArgs,
    PromoteArgs, RollbackArgs, ServingCommand, VerifyArgs,
};
pub(crate) use self::recovery::{DiagnoseArgs, DownArgs, HistoryArgs, RollbackStackArgs};
use crate::printer::OutputFormat;

mod models;
mod recovery;

/// Puts an MLOps stack on a Kubernetes cluster from one file, with the real helm and kubectl.
#[derive(Debug, Parser)]
#[command(name = "mlopsctl", version, max_term_width = 100, propagate_version = true, disable_help_subcommand = true)]
#[command(
    after_help = "Exit codes: 0 done, 1 failed, 2 usage or config, 3 preflight failed, 4 degraded, 5 plan has changes \
(--exit-code), 70 bug, 130 interrupted."
)]
pub(crate) struct Cli {
    /// Options of all commands.
    #[command(flatten)]
    pub(crate) global: GlobalArgs,
    /// The command.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options of all commands.
#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct GlobalArgs {
    /// Config file
    #[arg(long, short, global = true, value_name = "FILE", default_value = "mlops.yaml", env = "MLOPSCTL_CONFIG")]
    pub(crate) config: PathBuf,
    /// Kube-context, instead of `cluster.context`
    #[arg(long, global = true, env = "MLOPSCTL_CONTEXT")]
    pub(crate) context: Option<String>,
    /// Kubeconfig file, instead of KUBECONFIG and ~/.kube/config
    #[arg(long, global = true, value_name = "FILE", env = "MLOPSCTL_KUBECONFIG")]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// helm executable, instead of the one on PATH
    #[arg(long, global = true, value_name = "FILE", env = "MLOPSCTL_HELM")]
    pub(crate) helm: Option<PathBuf>,
    /// kubectl executable, instead of the one on PATH
    #[arg(long, global = true, value_name = "FILE", env = "MLOPSCTL_KUBECTL")]
    pub(crate) kubectl: Option<PathBuf>,
    /// Folder with all charts; nothing is pulled from a repository
    #[arg(long, global = true, value_name = "DIR", env = "MLOPSCTL_CHARTS")]
    pub(crate) charts: Option<PathBuf>,
    /// Folder with another stack.yaml, helm-values/ and charts/
    #[arg(long, global = true, value_name = "DIR", env = "MLOPSCTL_STACK")]
    pub(crate) stack: Option<PathBuf>,
    /// Folder of the chart cache
    #[arg(long, global = true, value_name = "DIR", env = "MLOPSCTL_CACHE_DIR")]
    pub(crate) cache_dir: Option<PathBuf>,
    /// Form of the result on standard output
    #[arg(long, short, global = true, value_enum, default_value_t, value_name = "FORMAT", env = "MLOPSCTL_OUTPUT")]
    pub(crate) output: OutputFormat,
    /// Show only errors and the result
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Write a commented config file, asking for what matters
    Init(InitArgs),
    /// Check tools, cluster, charts and permissions before anything is touched
    Preflight,
    /// Show what `up` would do, release by release, object by object
    #[command(visible_alias = "diff")]
    Plan(PlanArgs),
    /// Make the cluster match the file: install, upgrade, repair or leave alone
    Up(UpArgs),
    /// First use: `init` where there is no file, then preflight and `up`
    Install(InstallArgs),
    /// Upgrade an installed stack: show the plan, ask, then `up`
    Upgrade(UpArgs),
    /// Show releases, workloads, health and addresses
    Status(StatusArgs),
    /// List what was in force after earlier runs
    History(HistoryArgs),
    /// Bring an earlier revision of the whole stack into force: show the plan, ask, then roll back
    Rollback(RollbackStackArgs),
    /// Say why something is not as it should be, now; gather what helps to find out
    Diagnose(DiagnoseArgs),
    /// Prove the way from a training run to a prediction, a metric and a log line
    Verify(VerifyArgs),
    /// Run the stack's pipelines and look at them
    #[command(subcommand)]
    Pipeline(PipelineCommand),
    /// List the models of the registry, and say which version is the champion
    #[command(subcommand)]
    Model(ModelCommand),
    /// Deploy the model server and look at what it serves
    #[command(subcommand)]
    Serving(ServingCommand),
    /// Build the images of pipelines and model server, and bring them to the cluster
    #[command(subcommand)]
    Images(ImagesCommand),
    /// Take the stack away; data is kept unless --purge
    #[command(visible_alias = "teardown")]
    Down(DownArgs),
    /// Write plain helm values and an install.sh that does without mlopsctl
    Render(RenderArgs),
    /// Show, check or describe the config file
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Record the digests of all charts, or renew them
    Lock(LockArgs),
    /// Write shell completions
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Write the manual pages
    Man {
        /// Folder to write to
        #[arg(long, value_name = "DIR")]
        output_dir: PathBuf,
    },
}

/// Options of `init`.
#[derive(Debug, Args, Default)]
pub(crate) struct InitArgs {
    /// Ask nothing, take the defaults and the flags
    #[arg(long, short)]
    pub(crate) yes: bool,
    /// Replace an existing file
    #[arg(long)]
    pub(crate) force: bool,
    /// Set of defaults: laptop, edge or ha
    #[arg(long)]
    pub(crate) profile: Option<String>,
    /// DNS domain of the UIs; empty for none
    #[arg(long)]
    pub(crate) domain: Option<String>,
    /// IngressClass; the cluster's default if not given
    #[arg(long)]
    pub(crate) ingress_class: Option<String>,
    /// Certificates: none, selfSigned, acme or existing
    #[arg(long, value_name = "MODE")]
    pub(crate) tls: Option<String>,
    /// E-mail address for acme
    #[arg(long)]
    pub(crate) email: Option<String>,
    /// Name of the TLS Secret for existing
    #[arg(long, value_name = "NAME")]
    pub(crate) tls_secret: Option<String>,
    /// Where passwords come from: generate, prompt or existing
    #[arg(long, value_name = "SOURCE")]
    pub(crate) credentials: Option<String>,
}

/// Options of `plan`.
#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    /// Answer yes to all questions (there are none)
    #[arg(long, short, hide = true)]
    pub(crate) yes: bool,
    /// End with 5 if there are changes
    #[arg(long)]
    pub(crate) exit_code: bool,
    /// Do not compare the objects, only the releases
    #[arg(long)]
    pub(crate) summary: bool,
}

/// Options of `up`, `upgrade` and `rollback`.
#[derive(Debug, Args)]
pub(crate) struct UpArgs {
    /// Answer yes to all questions
    #[arg(long, short)]
    pub(crate) yes: bool,
    /// Seconds after which a cause that cannot heal by itself ends a step
    #[arg(long, default_value_t = 20, value_name = "SECONDS", env = "MLOPSCTL_GRACE")]
    pub(crate) grace: u64,
    /// Releases that helm works on at the same time
    #[arg(long, default_value_t = 8, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64), env = "MLOPSCTL_PARALLEL")]
    pub(crate) parallel: u16,
}

/// Options of `install`.
#[derive(Debug, Args)]
pub(crate) struct InstallArgs {
    /// Options of `up`.
    #[command(flatten)]
    pub(crate) up: UpArgs,
    /// DNS domain of the UIs, where the file is written anew
    #[arg(long)]
    pub(crate) domain: Option<String>,
    /// Set of defaults, where the file is written anew
    #[arg(long)]
    pub(crate) profile: Option<String>,
}

/// Options of `status`.
#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    /// Answer yes to all questions (there are none)
    #[arg(long, short, hide = true)]
    pub(crate) yes: bool,
    /// Look again every two seconds until interrupted
    #[arg(long, short)]
    pub(crate) watch: bool,
}

/// Options of `render`.
#[derive(Debug, Args)]
pub(crate) struct RenderArgs {
    /// Folder to write to
    #[arg(long, value_name = "DIR")]
    pub(crate) output_dir: PathBuf,
}

/// Options of `lock`.
#[derive(Debug, Args)]
pub(crate) struct LockArgs {
    /// Renew digests that differ
    #[arg(long)]
    pub(crate) update: bool,
}

/// The commands about the config file.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Write the JSON schema of the config file
    Schema,
    /// Show the config with profile and defaults filled in
    Show,
    /// Check the config file, all problems at once
    Validate,
}
