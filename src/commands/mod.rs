//! One file per command: settings in, core called, result printed.

mod config;
mod diagnose;
mod down;
mod history;
mod images;
mod init;
mod last_run;
mod lock;
mod model;
mod pipeline;
mod plan;
mod preflight;
pub(crate) mod prepare;
mod preview;
mod render;
mod rollback;
mod serving;
mod session;
mod shell;
mod signals;
mod status;
mod up;
mod verify;

use crate::cli::{Command, ConfigCommand};
use crate::error::CommandResult;
use crate::settings::Settings;

/// Runs a command.
pub(crate) async fn run(settings: &Settings, command: Command) -> CommandResult {
    match command {
        Command::Init(args) => init::run(settings, &args).await,
        Command::Preflight => preflight::run(settings).await,
        Command::Plan(args) => plan::run(settings, &args).await,
        Command::Up(args) => up::run(settings, &args).await,
        Command::Install(args) => up::install(settings, &args).await,
        Command::Upgrade(args) => up::upgrade(settings, &args).await,
        Command::Status(args) => status::run(settings, &args).await,
        Command::History(args) => history::run(settings, &args).await,
        Command::Rollback(args) => rollback::run(settings, &args).await,
        Command::Diagnose(args) => diagnose::run(settings, &args).await,
        Command::Verify(args) => verify::run(settings, &args).await,
        Command::Pipeline(command) => pipeline::run(settings, &command).await,
        Command::Model(command) => model::run(settings, &command).await,
        Command::Serving(command) => serving::run(settings, &command).await,
        Command::Images(command) => images::run(settings, &command).await,
        Command::Down(args) => down::run(settings, &args).await,
        Command::Render(args) => render::run(settings, &args),
        Command::Config(ConfigCommand::Schema) => Ok(config::schema(settings)),
        Command::Config(ConfigCommand::Show) => config::show(settings),
        Command::Config(ConfigCommand::Validate) => config::validate(settings),
        Command::Lock(args) => lock::run(settings, &args).await,
        Command::Completions { shell } => Ok(shell::completions(settings, shell)),
        Command::Man { output_dir } => shell::man(&output_dir),
    }
}
