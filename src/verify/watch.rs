//! Whether the prediction can be seen afterwards: as a metric and as a log line.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::run::{Failure, StepResult, Verification};
use crate::service::{Service, ServiceError};

/// How often it is asked for.
const LOOK: Duration = Duration::from_secs(2);

/// Waits until Prometheus has counted the predictions.
pub(super) async fn metric(verification: &Verification<'_>) -> StepResult {
    let Some(service) = verification.service(verification.catalog.services.metrics.as_ref()) else {
        return Err(Failure::new("this stack has no Prometheus"));
    };
    let query = format!("sum(mlops_predictions_total{{namespace=\"{}\"}})", verification.namespace());
    let value = poll(verification, &service, "/api/v1/query", &query, |answer| {
        let value = answer["data"]["result"][0]["value"][1].as_str()?;
        value.parse::<f64>().is_ok_and(|count| count > 0.0).then(|| value.to_owned())
    });
    match value.await? {
        Some(value) => Ok(format!("Prometheus counts {value} predictions")),
        None => Err(Failure {
            reason: format!("Prometheus has no {query}"),
            evidence: "the server's /metrics is scraped by its ServiceMonitor".into(),
            fix: format!(
                "kubectl port-forward -n {} svc/{} {}, then look at /targets",
                service.namespace, service.name, service.port
            ),
        }),
    }
}

/// Waits until Loki has the line of the prediction.
pub(super) async fn log(verification: &Verification<'_>) -> StepResult {
    let Some(service) = verification.service(verification.catalog.services.logs.as_ref()) else {
        return Err(Failure::new("this stack has no Loki"));
    };
    let query = format!("{{namespace=\"{}\"}} |= \"/predict\"", verification.namespace());
    let found = poll(verification, &service, "/loki/api/v1/query_range", &query, |answer| {
        answer["data"]["result"][0]["values"][0][1].as_str().map(str::to_owned)
    });
    match found.await? {
        Some(_) => Ok("Loki has the line of the prediction".into()),
        None => Err(Failure {
            reason: format!("Loki has no line for {query}"),
            evidence: "Alloy reads the log files of each node".into(),
            fix: format!("kubectl logs -n {} -l app.kubernetes.io/name=alloy", service.namespace),
        }),
    }
}

/// Asks again and again until the answer has what is looked for; `None` once the step's time is over.
async fn poll(
    verification: &Verification<'_>,
    service: &Service,
    path: &str,
    query: &str,
    find: impl Fn(&Value) -> Option<String>,
) -> Result<Option<String>, ServiceError> {
    let started = Instant::now();
    let client = service.connect(verification.runner).await?;
    loop {
        let answer = client.get(path, &[("query", query)]).await;
        let over = started.elapsed() >= verification.limits.step || verification.runner.is_interrupted();
        match answer.as_ref().map(&find) {
            Ok(Some(found)) => return Ok(Some(found)),
            Ok(None) if over => return Ok(None),
            Err(_) if over => return answer.map(|_| None),
            _ => tokio::time::sleep(LOOK).await,
        }
    }
}
