//! `mlopsctl` puts an MLOps stack on a Kubernetes cluster from one file, with the real helm and kubectl.
//!
//! The way through the crate has one direction: arguments → settings → config → stack → plan → invocations → events →
//! report. `ARCHITECTURE.md` walks it.

pub mod apply;
pub mod chart;
mod cli;
pub mod cluster;
mod commands;
pub mod config;
mod env;
mod error;
pub mod exec;
mod fault;
pub mod helm;
mod images;
pub mod kubectl;
pub mod mlflow;
pub mod plan;
mod preflight;
mod printer;
pub mod render;
pub mod report;
pub mod service;
mod settings;
pub mod stack;
mod support;
pub mod verify;
pub mod workflow;

use std::ffi::OsString;

use clap::Parser as _;

pub use error::ExitStatus;
use error::{CommandError, CommandResult};
use printer::{Printer, Tone};
use settings::Settings;

/// Runs the command line. The one place where errors are printed and turned into an exit code.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitStatus {
    let cli = match cli::Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            // clap prints help and version to standard output, errors to standard error.
            let _ = error.print();
            return if error.use_stderr() { ExitStatus::Usage } else { ExitStatus::Success };
        }
    };
    let printer = Printer::new(cli.global.output, cli.global.quiet);
    let result = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| CommandError::new(ExitStatus::Bug, error))
        .and_then(|runtime| {
            let result = runtime.block_on(dispatch(cli, printer));
            // A child that a blocking thread still waits for has been told to end.
            runtime.shutdown_background();
            result
        });
    match result {
        Ok(status) => status,
        Err(error) => {
            complain(printer, &error);
            error.status
        }
    }
}

async fn dispatch(cli: cli::Cli, printer: Printer) -> CommandResult {
    let settings = Settings::resolve(cli.global, printer)?;
    commands::run(&settings, cli.command).await
}

/// Prints an error with its causes and hints. Problems of a file begin with their place, so that editors find it.
fn complain(printer: Printer, error: &CommandError) {
    let text = error.error.to_string();
    let located = error
        .error
        .downcast_ref::<config::ConfigError>()
        .is_some_and(|it| matches!(it, config::ConfigError::Invalid(_)));
    let label = printer.paint(Tone::Bad, "error:");
    let code = fault::code(&error.error).map(|code| format!("{code} ")).unwrap_or_default();
    printer.complain(&if located { text.clone() } else { format!("{label} {code}{text}") });
    let mut last = text;
    for cause in error.error.chain().skip(1) {
        let text = cause.to_string();
        // A transparent error repeats its source.
        if text != last {
            printer.complain(&format!("  caused by: {text}"));
        }
        last = text;
    }
    for hint in &error.hints {
        printer.complain(&format!("{} {hint}", printer.paint(Tone::Warn, "hint:")));
    }
}
