//! `model list`, `model promote` and `model rollback`: versions and aliases of the registry.

use jiff::Timestamp;
use serde::Serialize;

use super::session::Session;
use crate::cli::{ModelCommand, PromoteArgs, RollbackArgs};
use crate::error::{CommandError, CommandResult, ExitStatus};
use crate::mlflow::{CHALLENGER, CHAMPION, CHAMPION_SINCE, Mlflow, Model};
use crate::printer::{OutputFormat, Printer};
use crate::report::table;
use crate::settings::Settings;

/// What `promote` and `rollback` did.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Change {
    model: String,
    alias: &'static str,
    version: u64,
    /// None where the alias pointed nowhere.
    previous: Option<u64>,
}

/// Runs one of the commands.
pub(super) async fn run(settings: &Settings, command: &ModelCommand) -> CommandResult {
    let session = Session::open(settings)?;
    let mlflow = session.mlflow().await?;
    match command {
        ModelCommand::List { name } => list(settings.printer, &mlflow, name.as_deref()).await,
        ModelCommand::Promote(args) => promote(settings.printer, &mlflow, args).await,
        ModelCommand::Rollback(args) => rollback(settings.printer, &mlflow, args).await,
    }
}

async fn list(printer: Printer, mlflow: &Mlflow, name: Option<&str>) -> CommandResult {
    let models = match name {
        Some(name) => vec![find(mlflow, name).await?],
        None => mlflow.models().await?,
    };
    if printer.format() != OutputFormat::Text {
        printer.json(&models);
        return Ok(ExitStatus::Success);
    }
    if models.is_empty() {
        printer.say("no model is registered; `mlopsctl pipeline run` trains the example");
        return Ok(ExitStatus::Success);
    }
    let mut rows = Vec::new();
    for model in &models {
        for version in &model.versions {
            let created =
                Timestamp::from_millisecond(version.created).map(|time| time.strftime("%F %H:%M").to_string());
            let aliases = model.aliases_of(version.version).join(", ");
            rows.push(vec![
                model.name.clone(),
                version.version.to_string(),
                if aliases.is_empty() { "-".into() } else { aliases },
                version.status.clone(),
                created.unwrap_or_default(),
                if version.run_id.is_empty() { "-".into() } else { version.run_id.clone() },
            ]);
        }
    }
    printer.data(&table(&["MODEL", "VERSION", "ALIASES", "STATUS", "CREATED (UTC)", "RUN"], &rows));
    Ok(ExitStatus::Success)
}

async fn promote(printer: Printer, mlflow: &Mlflow, args: &PromoteArgs) -> CommandResult {
    let model = find(mlflow, &args.name).await?;
    let number = match args.number {
        Some(number) => number,
        None => *model.aliases.get(CHALLENGER).ok_or_else(|| {
            failed(format!("{} has no {CHALLENGER}", model.name)).hint(format!(
                "name a version: mlopsctl model promote {} VERSION (there are {})",
                model.name,
                versions(&model)
            ))
        })?,
    };
    let version = model.version(number).ok_or_else(|| no_version(&model, number))?;
    if version.status != "READY" {
        return Err(failed(format!("{} version {number} is {}, not READY", model.name, version.status)));
    }
    let previous = model.aliases.get(CHAMPION).copied();
    if previous == Some(number) {
        printer.say(&format!("{} version {number} is the {CHAMPION} already", model.name));
    } else {
        // The tag first: a champion without it would be unknown to `rollback`.
        mlflow.set_version_tag(&model.name, number, CHAMPION_SINCE, &Timestamp::now().to_string()).await?;
        mlflow.set_alias(&model.name, CHAMPION, number).await?;
    }
    show(printer, &Change { model: model.name, alias: CHAMPION, version: number, previous });
    Ok(ExitStatus::Success)
}

async fn rollback(printer: Printer, mlflow: &Mlflow, args: &RollbackArgs) -> CommandResult {
    let model = find(mlflow, &args.name).await?;
    let current = *model.aliases.get(CHAMPION).ok_or_else(|| failed(format!("{} has no {CHAMPION}", model.name)))?;
    let number = match args.number {
        Some(number) => model.version(number).ok_or_else(|| no_version(&model, number))?.version,
        None => model.previous_champion().ok_or_else(|| {
            failed(format!("no earlier {CHAMPION} of {} is known", model.name)).hint(format!(
                "name a version: mlopsctl model rollback {} VERSION (there are {})",
                model.name,
                versions(&model)
            ))
        })?,
    };
    if number == current {
        return Err(failed(format!("{} version {number} is the {CHAMPION} already", model.name)));
    }
    mlflow.set_alias(&model.name, CHAMPION, number).await?;
    // The next rollback goes back further instead of forward to this one.
    if model.version(current).is_some_and(|version| version.champion_since.is_some()) {
        mlflow.delete_version_tag(&model.name, current, CHAMPION_SINCE).await?;
    }
    show(printer, &Change { model: model.name, alias: CHAMPION, version: number, previous: Some(current) });
    Ok(ExitStatus::Success)
}

async fn find(mlflow: &Mlflow, name: &str) -> Result<Model, CommandError> {
    let found = mlflow.model(name).await?;
    found.ok_or_else(|| failed(format!("no model `{name}` is registered")).hint("mlopsctl model list"))
}

fn show(printer: Printer, change: &Change) {
    if printer.format() != OutputFormat::Text {
        printer.json(change);
        return;
    }
    let before =
        change.previous.map_or_else(|| "none before".to_owned(), |version| format!("version {version} before"));
    printer.data(&format!("{}: version {} is {}, {before}\n", change.model, change.version, change.alias));
    printer.say(
        "model servers that follow the alias load it within 15 s; `mlopsctl serving status` shows what they serve",
    );
}

fn versions(model: &Model) -> String {
    let numbers: Vec<String> = model.versions.iter().rev().map(|version| version.version.to_string()).collect();
    if numbers.is_empty() { "none".into() } else { numbers.join(", ") }
}

fn no_version(model: &Model, number: u64) -> CommandError {
    failed(format!("{} has no version {number}", model.name)).hint(format!("there are {}", versions(model)))
}

fn failed(message: String) -> CommandError {
    CommandError::new(ExitStatus::Failure, anyhow::Error::msg(message))
}
