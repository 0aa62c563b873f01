//! `completions` and `man`.

use std::path::Path;

use clap::CommandFactory as _;

use crate::cli::Cli;
use crate::error::{CommandError, CommandResult, ExitStatus};
use crate::settings::Settings;

/// Writes shell completions.
pub(super) fn completions(settings: &Settings, shell: clap_complete::Shell) -> ExitStatus {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "mlopsctl", &mut text);
    settings.printer.data(&String::from_utf8_lossy(&text));
    ExitStatus::Success
}

/// Writes one manual page per command.
pub(super) fn man(folder: &Path) -> CommandResult {
    let failed = |error| CommandError::new(ExitStatus::Failure, error);
    fs_err::create_dir_all(folder).map_err(failed)?;
    clap_mangen::generate_to(Cli::command(), folder).map_err(failed)?;
    Ok(ExitStatus::Success)
}
