//! `pipeline run`, `pipeline list` and `pipeline logs`: Argo workflows of the stack's own templates.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use super::session::Session;
use crate::cli::{PipelineCommand, PipelineLogsArgs, PipelineRunArgs};
use crate::cluster::STACK_LABEL;
use crate::error::{CommandError, CommandResult, ExitStatus};
use crate::exec::Stream;
use crate::kubectl;
use crate::printer::{OutputFormat, Printer, Tone};
use crate::report::table;
use crate::settings::Settings;
use crate::workflow::{self, Pipeline, PipelineError, Run};

/// How often a run is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// What `pipeline run` ends with.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct RunReport {
    #[serde(flatten)]
    run: Run,
    seconds: f64,
}

/// Runs one of the commands.
pub(super) async fn run(settings: &Settings, command: &PipelineCommand) -> CommandResult {
    let session = Session::open(settings)?;
    session.service(session.catalog.services.workflows.as_ref(), "workflows")?;
    match command {
        PipelineCommand::Run(args) => start(settings, &session, args).await,
        PipelineCommand::List => list(settings.printer, &session).await,
        PipelineCommand::Logs(args) => logs(&session, args).await,
    }
}

async fn start(settings: &Settings, session: &Session, args: &PipelineRunArgs) -> CommandResult {
    let printer = settings.printer;
    let pipelines = workflow::pipelines(&settings.stack)?;
    let pipeline = pipelines.iter().find(|pipeline| pipeline.name == args.name).ok_or_else(|| {
        let names: Vec<&str> = pipelines.iter().map(|pipeline| pipeline.name.as_str()).collect();
        let error = CommandError::usage(format!("there is no pipeline `{}`", args.name));
        match crate::config::suggestion(&args.name, names.iter().copied()) {
            Some(name) => error.hint(format!("did you mean `{name}`?")),
            None => error.hint(format!("there are {}", names.join(", "))),
        }
    })?;
    for (key, _) in &args.param {
        if !pipeline.parameters.contains(key) {
            let error = CommandError::usage(format!("pipeline `{}` has no parameter `{key}`", pipeline.name));
            return Err(match crate::config::suggestion(key, pipeline.parameters.iter().map(String::as_str)) {
                Some(name) => error.hint(format!("did you mean `{name}`?")),
                None => error.hint(format!("there are {}", pipeline.parameters.join(", "))),
            });
        }
    }
    let namespace = &session.loaded.config.namespaces.dev;
    let parameters = parameters(session, pipeline, &args.param);
    let template = ours(&pipeline.template, namespace, &session.stack.id);
    session.runner.run(kubectl::apply(&[template], false)).await.map_err(|error| missing_crd(session, error.into()))?;
    let created =
        session.runner.run(kubectl::create(&[workflow::submission(pipeline, namespace, &parameters)])).await?;
    let run = kubectl::items(&created.stdout).first().and_then(run_of).ok_or_else(|| {
        CommandError::new(ExitStatus::Failure, anyhow::anyhow!("the API server did not say which workflow it made"))
    })?;
    printer.say(&format!("workflow {} in {namespace}", run.name));
    if args.no_wait {
        show(printer, RunReport { run, seconds: 0.0 });
        return Ok(ExitStatus::Success);
    }
    let report = follow(printer, session, namespace, run, Duration::from_secs(args.timeout)).await?;
    let succeeded = report.run.phase == "Succeeded";
    let name = report.run.name.clone();
    let message = report.run.message.clone();
    show(printer, report);
    if succeeded {
        return Ok(ExitStatus::Success);
    }
    let reason = if message.is_empty() { String::new() } else { format!(": {message}") };
    let error = CommandError::new(ExitStatus::Failure, anyhow::anyhow!("workflow {name} did not succeed{reason}"));
    Err(error.hint(format!("mlopsctl pipeline logs {name}")))
}

/// Returns what the run's parameters are: those of the stack where the pipeline has them, then the user's.
fn parameters(session: &Session, pipeline: &Pipeline, own: &[(String, String)]) -> Vec<(String, String)> {
    let variables = session.stack.context.value();
    let known = [
        ("image", "pipelinesImage"),
        ("tracking-uri", "trackingUri"),
        ("s3-endpoint", "s3Endpoint"),
        ("s3-region", "s3Region"),
    ];
    let mut parameters: Vec<(String, String)> = known
        .into_iter()
        .filter(|(parameter, _)| pipeline.parameters.iter().any(|it| it == parameter))
        .filter_map(|(parameter, variable)| {
            Some((parameter.to_owned(), variables["vars"][variable].as_str()?.to_owned()))
        })
        .collect();
    for (key, value) in own {
        parameters.retain(|(known, _)| known != key);
        parameters.push((key.clone(), value.clone()));
    }
    parameters
}

async fn follow(
    printer: Printer,
    session: &Session,
    namespace: &str,
    mut run: Run,
    limit: Duration,
) -> Result<RunReport, CommandError> {
    let started = Instant::now();
    let mut told: Vec<(String, String)> = Vec::new();
    loop {
        let name = format!("workflows.argoproj.io/{}", run.name);
        let answer = session.runner.run(kubectl::get([name], Some(namespace))).await?;
        let Some(object) = kubectl::items(&answer.stdout).into_iter().next() else {
            let error = anyhow::anyhow!("workflow {} was deleted while it ran", run.name);
            return Err(CommandError::new(ExitStatus::Failure, error));
        };
        run = run_of(&object).unwrap_or(run);
        for step in &run.steps {
            let state = (step.name.clone(), step.phase.clone());
            if !told.contains(&state) && step.phase != "Pending" {
                let text = if step.message.is_empty() { String::new() } else { format!("  {}", step.message) };
                printer.say(&format!("{:>12} {}{text}", printer.paint(tone(&step.phase), &step.phase), step.name));
                told.push(state);
            }
        }
        if run.is_finished() {
            return Ok(RunReport { run, seconds: started.elapsed().as_secs_f64() });
        }
        if started.elapsed() >= limit {
            let seconds = limit.as_secs();
            let waiting = if run.phase.is_empty() {
                "no workflow controller has picked it up".to_owned()
            } else {
                format!("it is {}", run.phase)
            };
            let error = anyhow::anyhow!("workflow {} is not done after {seconds}s: {waiting}", run.name);
            return Err(CommandError::new(ExitStatus::Failure, error)
                .hint(format!("it goes on in the cluster: kubectl describe workflow -n {namespace} {}", run.name)));
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            _ = tokio::signal::ctrl_c() => {
                let error = anyhow::anyhow!("interrupted; workflow {} goes on in the cluster", run.name);
                return Err(CommandError::new(ExitStatus::Interrupted, error)
                    .hint(format!("to end it: kubectl delete workflow -n {namespace} {}", run.name)));
            }
        }
    }
}

fn show(printer: Printer, report: RunReport) {
    if printer.format() != OutputFormat::Text {
        printer.json(&report);
        return;
    }
    let RunReport { run, seconds } = report;
    if run.phase.is_empty() {
        printer.data(&format!("{}\n", run.name));
        return;
    }
    printer.data(&format!("{} {} in {seconds:.0}s\n", run.name, run.phase));
    for (key, value) in &run.outputs {
        printer.data(&format!("  {key}: {value}\n"));
    }
}

async fn list(printer: Printer, session: &Session) -> CommandResult {
    let namespace = &session.loaded.config.namespaces.dev;
    let answer = session.runner.run(kubectl::get(["workflows.argoproj.io"], Some(namespace))).await;
    let answer = answer.map_err(|error| missing_crd(session, error.into()))?;
    let mut runs: Vec<Run> = kubectl::items(&answer.stdout).iter().filter_map(run_of).collect();
    runs.sort_by(|a, b| b.created.cmp(&a.created));
    if printer.format() != OutputFormat::Text {
        printer.json(&runs);
        return Ok(ExitStatus::Success);
    }
    if runs.is_empty() {
        printer.say(&format!("no workflow in {namespace}; `mlopsctl pipeline run` starts the example"));
        return Ok(ExitStatus::Success);
    }
    let rows: Vec<Vec<String>> = runs
        .iter()
        .map(|run| {
            let phase = if run.phase.is_empty() { "Waiting" } else { &run.phase };
            let seconds = run.seconds.map_or_else(|| "-".into(), |seconds| format!("{seconds}s"));
            vec![
                run.name.clone(),
                run.pipeline.clone(),
                printer.paint(tone(phase), phase),
                run.progress.clone(),
                run.created.clone(),
                seconds,
            ]
        })
        .collect();
    printer.data(&table(&["RUN", "PIPELINE", "STATUS", "STEPS", "CREATED", "TIME"], &rows));
    Ok(ExitStatus::Success)
}

async fn logs(session: &Session, args: &PipelineLogsArgs) -> CommandResult {
    let namespace = &session.loaded.config.namespaces.dev;
    let name = format!("workflows.argoproj.io/{}", args.run);
    let answer = session.runner.run(kubectl::get([name], Some(namespace))).await?;
    if kubectl::items(&answer.stdout).is_empty() {
        let error = anyhow::anyhow!("there is no workflow {} in {namespace}", args.run);
        return Err(CommandError::new(ExitStatus::Failure, error).hint("mlopsctl pipeline list"));
    }
    let selector = format!("{}={}", workflow::RUN_LABEL, args.run);
    let pods = session.runner.run(kubectl::get(["pods", "--selector", selector.as_str()], Some(namespace))).await?;
    if kubectl::items(&pods.stdout).is_empty() {
        let error = anyhow::anyhow!("the pods of {} are gone", args.run);
        return Err(CommandError::new(ExitStatus::Failure, error)
            .hint("Argo keeps their logs in the S3 store: they are in its UI, and in Grafana where Loki is on"));
    }
    session.runner.pass_through(kubectl::workflow_logs(&selector, namespace, args.follow), Stream::Data).await?;
    Ok(ExitStatus::Success)
}

impl From<PipelineError> for CommandError {
    fn from(error: PipelineError) -> Self {
        Self::new(ExitStatus::Usage, error)
    }
}

fn run_of(object: &Value) -> Option<Run> {
    Run::of(object, Timestamp::now())
}

/// Returns the template for the namespace of pipelines, marked so that `down` knows it.
fn ours(template: &Value, namespace: &str, stack: &str) -> Value {
    let mut object = template.clone();
    object["metadata"]["namespace"] = json!(namespace);
    object["metadata"]["labels"][STACK_LABEL] = json!(stack);
    object
}

/// Where the kind is unknown, the stack was not installed here.
fn missing_crd(session: &Session, error: CommandError) -> CommandError {
    let text = format!("{:#}", error.error);
    if text.contains("no matches for kind")
        || text.contains("doesn't have a resource type")
        || text.contains("not found")
    {
        let dev = &session.loaded.config.namespaces.dev;
        return error
            .hint(format!("is the stack installed? Argo's kinds or the namespace {dev} are missing: mlopsctl up"));
    }
    error
}

fn tone(phase: &str) -> Tone {
    match phase {
        "Succeeded" => Tone::Good,
        "Failed" | "Error" => Tone::Bad,
        "Skipped" | "Omitted" => Tone::Dim,
        _ => Tone::Warn,
    }
}
