//! From a training Job to a version in the registry.

use std::path::Path;

use serde_json::json;

use super::run::{Failure, NAME, StepResult, Verification};
use crate::apply::{Wait, wait_ready};
use crate::kubectl;
use crate::mlflow::{CHALLENGER, CHAMPION, Mlflow};
use crate::render::{Engine, Workload, WorkloadKind};

/// The template of the Job.
const JOB: &str = "k8s/verify/train.yaml.j2";
/// The file of a run that holds a request and the answer that a server must give.
pub(super) const VERIFICATION: &str = "verification.json";
/// Log lines of a failed Job that are shown.
const LOG_LINES: u16 = 8;

/// Runs the training Job to its end.
pub(super) async fn train(verification: &Verification<'_>) -> StepResult {
    let namespace = verification.namespace();
    let seconds = verification.limits.step.as_secs();
    let text = verification.source.read(JOB).map_err(|error| Failure::new(error.to_string()))?;
    let variables = json!({"namespace": namespace, "name": NAME, "seconds": seconds});
    let context = verification.stack.context.with("verify", variables);
    let path = verification.source.display_path(JOB);
    let job =
        Engine::new().values(Path::new(&path), &text, &context).map_err(|error| Failure::new(error.to_string()))?;
    verification.runner.run(kubectl::apply(&[job], false)).await?;
    let workload = Workload { kind: WorkloadKind::Job, namespace: namespace.clone(), name: "train".into() };
    let wait = Wait {
        release: NAME,
        namespace: &namespace,
        workloads: vec![workload],
        limit: verification.limits.step,
        grace: verification.limits.grace,
    };
    match wait_ready(verification.runner, wait).await {
        Ok(()) => Ok("a model was trained and registered by a Job".into()),
        Err(cause) => {
            let mut failure = Failure::from(cause);
            let logs = kubectl::last_logs("app.kubernetes.io/component=train", &namespace, LOG_LINES);
            // The Job's own words say more than its status; without a pod there are none.
            if let Ok(output) = verification.runner.run(logs).await
                && !output.stdout.trim().is_empty()
            {
                failure.evidence = format!("{}\n{}", failure.evidence, output.stdout.trim_end());
            }
            Err(failure)
        }
    }
}

/// Finds the run of the Job, with metrics and artifact.
pub(super) async fn track(mlflow: &Mlflow, run: &mut String) -> StepResult {
    let runs = mlflow.runs(NAME).await?;
    let Some(newest) = runs.first() else {
        return Err(Failure::new(format!("MLflow has no run in the experiment {NAME}")));
    };
    run.clone_from(newest);
    let metrics = mlflow.metrics(run).await?;
    if metrics.is_empty() {
        return Err(Failure::new(format!("run {run} has no metrics")));
    }
    mlflow.artifact(run, VERIFICATION).await.map_err(|error| {
        let mut failure = Failure::from(error);
        failure.reason = format!("the artifact {VERIFICATION} of run {run} cannot be read: {}", failure.reason);
        failure.fix = "is the S3 store reachable from MLflow? mlopsctl status".into();
        failure
    })?;
    Ok(format!("run {run} with {} metrics and its artifacts", metrics.len()))
}

/// Finds the version of the run, and makes it the champion, which is what a server follows.
pub(super) async fn register(mlflow: &Mlflow, run: &str) -> StepResult {
    let Some(model) = mlflow.model(NAME).await? else {
        return Err(Failure::new(format!("the registry has no model {NAME}")));
    };
    let Some(version) = model.versions.iter().find(|version| version.run_id == run) else {
        return Err(Failure::new(format!("no version of {NAME} comes from run {run}")));
    };
    if model.aliases.get(CHALLENGER) != Some(&version.version) {
        return Err(Failure::new(format!("version {} is not the {CHALLENGER}", version.version)));
    }
    mlflow.set_alias(NAME, CHAMPION, version.version).await?;
    Ok(format!("version {} with the aliases {CHALLENGER} and {CHAMPION}", version.version))
}
