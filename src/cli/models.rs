//! The commands about models: what is run, served and verified on an installed stack.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::UpArgs;

/// Options of `verify`.
#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// Answer yes to all questions (there are none)
    #[arg(long, short, hide = true)]
    pub(crate) yes: bool,
    /// Seconds that each step may take
    #[arg(long, default_value_t = 300, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(10..=7200))]
    pub(crate) timeout: u64,
    /// Seconds after which a cause that cannot heal by itself ends a step
    #[arg(long, default_value_t = 20, value_name = "SECONDS", env = "MLOPSCTL_GRACE")]
    pub(crate) grace: u64,
    /// File for the result in JUnit's format
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,
    /// Leave namespace, model and run in place for a look
    #[arg(long)]
    pub(crate) keep: bool,
}

/// The commands about pipelines.
#[derive(Debug, Subcommand)]
pub(crate) enum PipelineCommand {
    /// Run a pipeline and wait for its end
    Run(PipelineRunArgs),
    /// List the runs, the newest first
    #[command(visible_alias = "ls")]
    List,
    /// Write the logs of a run's steps
    Logs(PipelineLogsArgs),
}

/// Options of `pipeline run`.
#[derive(Debug, Args)]
pub(crate) struct PipelineRunArgs {
    /// The pipeline
    #[arg(default_value = "train-register")]
    pub(crate) name: String,
    /// A parameter of the pipeline; may be repeated
    #[arg(long, short, value_name = "KEY=VALUE", value_parser = key_value)]
    pub(crate) param: Vec<(String, String)>,
    /// Return as soon as the run is in the cluster
    #[arg(long)]
    pub(crate) no_wait: bool,
    /// Seconds to wait for its end
    #[arg(long, default_value_t = 3600, value_name = "SECONDS", conflicts_with = "no_wait")]
    pub(crate) timeout: u64,
}

/// Options of `pipeline logs`.
#[derive(Debug, Args)]
pub(crate) struct PipelineLogsArgs {
    /// The run, as `pipeline list` names it
    pub(crate) run: String,
    /// Go on with new lines until the pods end
    #[arg(long, short)]
    pub(crate) follow: bool,
}

/// The commands about models.
#[derive(Debug, Subcommand)]
pub(crate) enum ModelCommand {
    /// List registered models with their versions and aliases
    #[command(visible_alias = "ls")]
    List {
        /// Only this model
        name: Option<String>,
    },
    /// Make a version the champion, which the model servers follow
    Promote(PromoteArgs),
    /// Make the champion before this one the champion again
    Rollback(RollbackArgs),
}

/// Options of `model promote`.
#[derive(Debug, Args)]
pub(crate) struct PromoteArgs {
    /// The registered model
    pub(crate) name: String,
    /// The version; the challenger if not given
    #[arg(value_name = "VERSION")]
    pub(crate) number: Option<u64>,
}

/// Options of `model rollback`.
#[derive(Debug, Args)]
pub(crate) struct RollbackArgs {
    /// The registered model
    pub(crate) name: String,
    /// The version; the champion before this one if not given
    #[arg(value_name = "VERSION")]
    pub(crate) number: Option<u64>,
}

/// The commands about the model server.
#[derive(Debug, Subcommand)]
pub(crate) enum ServingCommand {
    /// Install or upgrade the model server and what it needs, once its model is in the registry
    Deploy(UpArgs),
    /// Show what it serves, and what the registry says it should
    Status,
}

/// The commands about images.
#[derive(Debug, Subcommand)]
pub(crate) enum ImagesCommand {
    /// Build them with docker, podman, nerdctl or buildah
    Build(BuildArgs),
    /// Push them to the registry in their names
    Push(ImagesArgs),
    /// Import them into the containerd of this machine's K3s, where no registry is needed
    Import(ImportArgs),
}

/// Options of all commands about images.
#[derive(Debug, Args)]
pub(crate) struct ImagesArgs {
    /// Only this image: pipelines or serving
    #[arg(value_parser = ["pipelines", "serving"])]
    pub(crate) image: Option<String>,
    /// The engine: docker, podman, nerdctl or buildah; the first one found if not given
    #[arg(long, env = "MLOPSCTL_ENGINE")]
    pub(crate) engine: Option<String>,
}

/// Options of `images import`.
#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// Options of all commands about images.
    #[command(flatten)]
    pub(crate) images: ImagesArgs,
    /// Run k3s as root, by sudo
    #[arg(long)]
    pub(crate) sudo: bool,
}

/// Options of `images build`.
#[derive(Debug, Args)]
pub(crate) struct BuildArgs {
    /// Options of all commands about images.
    #[command(flatten)]
    pub(crate) images: ImagesArgs,
    /// Platform, such as linux/arm64; that of this machine if not given
    #[arg(long)]
    pub(crate) platform: Option<String>,
    /// The image that Python comes from
    #[arg(long, value_name = "IMAGE")]
    pub(crate) python_image: Option<String>,
}

fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("write it as KEY=VALUE".to_owned()),
    }
}
