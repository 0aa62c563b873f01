//! Options of the commands for when something went wrong, that go back or take away.

use std::path::PathBuf;

use clap::Args;

use super::UpArgs;

/// Options of `history`.
#[derive(Debug, Args)]
pub(crate) struct HistoryArgs {
    /// Only this revision, with its releases
    #[arg(value_name = "REVISION")]
    pub(crate) number: Option<u64>,
}

/// Options of `rollback`.
#[derive(Debug, Args)]
pub(crate) struct RollbackStackArgs {
    /// The revision, as `history` numbers it; the newest good one that is not in force if not given
    #[arg(value_name = "REVISION")]
    pub(crate) number: Option<u64>,
    /// Options of `up`.
    #[command(flatten)]
    pub(crate) run: UpArgs,
    /// Show the way back, and do nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Backup of what cannot go back by itself, such as a database schema; it is noted, not restored
    #[arg(long, value_name = "NAME")]
    pub(crate) backup: Option<String>,
    /// Leave releases as they are that helm cannot bring back
    #[arg(long)]
    pub(crate) partial: bool,
    /// Remove releases that were not there then
    #[arg(long)]
    pub(crate) prune: bool,
}

/// Options of `down`.
#[derive(Debug, Args)]
pub(crate) struct DownArgs {
    /// Answer yes to all questions
    #[arg(long, short)]
    pub(crate) yes: bool,
    /// Delete volumes, Secrets and CRDs of the stack too
    #[arg(long)]
    pub(crate) purge: bool,
    /// Release whose volumes stay, with the Secrets that open them; may be given several times
    #[arg(long, value_name = "RELEASE", requires = "purge")]
    pub(crate) keep: Vec<String>,
    /// The stack's id, to confirm --purge without a terminal
    #[arg(long, value_name = "STACK_ID", requires = "purge")]
    pub(crate) confirm: Option<String>,
}

/// Options of `diagnose`.
#[derive(Debug, Args)]
pub(crate) struct DiagnoseArgs {
    /// Only this release
    pub(crate) release: Option<String>,
    /// Write objects, events, logs and helm's history to a .tar.gz, without values of Secrets
    #[arg(long, value_name = "FILE")]
    pub(crate) archive: Option<PathBuf>,
    /// Answer yes to all questions (there are none)
    #[arg(long, short, hide = true)]
    pub(crate) yes: bool,
}
