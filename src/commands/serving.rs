//! `serving deploy` and `serving status`: the model server of the stack.

use serde::Serialize;
use serde_json::Value;

use super::session::Session;
use crate::cli::{ServingCommand, UpArgs};
use crate::error::{CommandError, CommandResult, ExitStatus};
use crate::kubectl;
use crate::printer::{OutputFormat, Tone};
use crate::report::table;
use crate::service::{Service, ServiceError};
use crate::settings::Settings;
use crate::stack::Release;

/// How the model server is.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ServingReport {
    release: String,
    namespace: String,
    /// The pods that answer, and those there should be.
    ready: u64,
    replicas: u64,
    /// What the file says it serves.
    uri: String,
    /// The version that it serves; none while it has loaded no model.
    version: Option<String>,
    /// The version that the registry has under this URI; none where there is none.
    wanted: Option<u64>,
    /// What hinders it from serving the wanted one.
    problem: Option<String>,
}

impl ServingReport {
    /// Every pod answers, with the version that the registry names.
    fn is_healthy(&self) -> bool {
        let served = self.version.as_deref().and_then(|version| version.parse().ok());
        self.ready == self.replicas && self.replicas > 0 && self.wanted.is_some() && served == self.wanted
    }
}

/// Runs one of the commands.
pub(super) async fn run(settings: &Settings, command: &ServingCommand) -> CommandResult {
    let session = Session::open(settings)?;
    let (release, service) = session.service(session.catalog.services.serving.as_ref(), "model server")?;
    match command {
        ServingCommand::Deploy(args) => deploy(settings, &session, release, args).await,
        ServingCommand::Status => status(settings, &session, release, &service).await,
    }
}

/// Brings the model server and what it needs into force, once its model is known to be there.
async fn deploy(settings: &Settings, session: &Session, release: &Release, args: &UpArgs) -> CommandResult {
    let uri = &session.loaded.config.serving.model;
    if registered(session, uri).await?.is_none() {
        let error = anyhow::anyhow!("the registry has no {uri}, so there is nothing to serve");
        let name = uri.trim_start_matches("models:/").split(['@', '/']).next().unwrap_or_default().to_owned();
        return Err(CommandError::new(ExitStatus::Failure, error).hint(format!(
            "`mlopsctl pipeline run` trains one; `mlopsctl model promote {name}` makes it the champion"
        )));
    }
    super::up::only(settings, args, &release.name).await
}

/// Returns the version that the registry has under a URI of the file: `models:/NAME@ALIAS` or `models:/NAME/VERSION`.
async fn registered(session: &Session, uri: &str) -> Result<Option<u64>, CommandError> {
    let rest = uri.trim_start_matches("models:/");
    let name = rest.split(['@', '/']).next().unwrap_or_default();
    let Some(model) = session.mlflow().await?.model(name).await? else { return Ok(None) };
    Ok(match rest[name.len()..].split_at_checked(1) {
        Some(("@", alias)) => model.aliases.get(alias).copied(),
        Some(("/", version)) => version.parse().ok().filter(|number| model.version(*number).is_some()),
        _ => None,
    })
}

async fn status(settings: &Settings, session: &Session, release: &Release, service: &Service) -> CommandResult {
    let printer = settings.printer;
    let report = look(session, release, service).await?;
    let status = if report.is_healthy() { ExitStatus::Success } else { ExitStatus::Degraded };
    if printer.format() != OutputFormat::Text {
        printer.json(&report);
        return Ok(status);
    }
    let served = report.version.clone().unwrap_or_else(|| "-".into());
    let tone = if report.is_healthy() { Tone::Good } else { Tone::Warn };
    let row = vec![
        report.release.clone(),
        report.namespace.clone(),
        format!("{}/{}", report.ready, report.replicas),
        report.uri.clone(),
        report.wanted.map_or_else(|| "-".into(), |version| version.to_string()),
        printer.paint(tone, &served),
    ];
    printer.data(&table(&["RELEASE", "NAMESPACE", "READY", "MODEL", "REGISTRY", "SERVED"], &[row]));
    if let Some(problem) = &report.problem {
        printer.data(&format!("{} {problem}\n", printer.paint(Tone::Warn, "problem:")));
    }
    Ok(status)
}

async fn look(session: &Session, release: &Release, service: &Service) -> Result<ServingReport, CommandError> {
    let name = format!("deployment/{}", service.name);
    let answer = session.runner.run(kubectl::get([name], Some(&release.namespace))).await?;
    let deployment = kubectl::items(&answer.stdout).into_iter().next().ok_or_else(|| {
        let error = anyhow::anyhow!("release {} is not installed", release.name);
        CommandError::new(ExitStatus::Failure, error).hint("mlopsctl serving deploy")
    })?;
    let uri = session.loaded.config.serving.model.clone();
    let wanted = registered(session, &uri).await?;
    let (version, problem) = match readiness(session, service).await {
        Ok(body) => (text(&body["model"]["version"]), text(&body["problem"]["message"])),
        Err(error) => (None, Some(error.to_string())),
    };
    let problem = problem.or_else(|| wanted.is_none().then(|| format!("the registry has no {uri}")));
    Ok(ServingReport {
        release: release.name.clone(),
        namespace: release.namespace.clone(),
        ready: deployment["status"]["readyReplicas"].as_u64().unwrap_or(0),
        replicas: deployment["spec"]["replicas"].as_u64().unwrap_or(0),
        uri,
        version,
        wanted,
        problem,
    })
}

async fn readiness(session: &Session, service: &Service) -> Result<Value, ServiceError> {
    service.connect(&session.runner).await?.get("/readyz", &[]).await
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned).or_else(|| value.as_u64().map(|number| number.to_string()))
}
