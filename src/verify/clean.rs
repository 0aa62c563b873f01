//! Removing what a verification made.

use std::time::Duration;

use super::run::{NAME, Verification};
use crate::exec::{ExecError, Invocation, Runner, Tool};
use crate::mlflow::Mlflow;
use crate::service::ServiceError;

/// How long a namespace may take to go.
const LIMIT: Duration = Duration::from_mins(3);

/// Removes everything, also after an interrupt. Returns what is left, each with the reason.
pub(super) async fn all(verification: &Verification<'_>, mlflow: &Mlflow) -> Vec<String> {
    let runner = verification.runner.renewed();
    let name = verification.namespace();
    let (namespace, registry) = tokio::join!(namespace(&runner, &name), registry(mlflow));
    let mut left = Vec::new();
    if let Err(error) = namespace {
        left.push(format!("namespace {name}: {error}"));
    }
    if let Err(error) = registry {
        left.push(format!("model and runs {NAME} in MLflow: {error}"));
    }
    left
}

/// Deletes a namespace and waits until it is gone.
pub(super) async fn namespace(runner: &Runner, name: &str) -> Result<(), ExecError> {
    let limit = format!("{}s", LIMIT.as_secs());
    let call = Invocation::new(Tool::Kubectl, ["delete", "namespace", name, "--ignore-not-found", "--timeout", &limit]);
    runner.run(call.timeout(LIMIT + Duration::from_secs(10)).isolated()).await.map(|_| ())
}

/// Deletes the registered model and marks its runs as deleted. The experiment stays, for the next verification.
pub(super) async fn registry(mlflow: &Mlflow) -> Result<(), ServiceError> {
    match mlflow.delete_model(NAME).await {
        Err(error) if !error.is_not_found() => return Err(error),
        _ => {}
    }
    for run in mlflow.runs(NAME).await? {
        mlflow.delete_run(&run).await?;
    }
    Ok(())
}
