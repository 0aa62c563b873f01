//! From a version in the registry to a prediction.

use std::time::Instant;

use serde_json::{Value, json};

use super::run::{Failure, NAME, StepResult, Verification};
use super::train::VERIFICATION;
use crate::apply::{Wait, wait_ready};
use crate::helm;
use crate::mlflow::{CHAMPION, Mlflow};
use crate::render::{Engine, Workload, documents, merge};
use crate::service::Service;
use crate::stack::{ChartRef, Release};

/// The values template that the stack's own model server is made with.
const VALUES: &str = "helm-values/fastapi-model-server.yaml.j2";
/// Name of the release, and of its objects.
const RELEASE: &str = "model";
/// Port of the model server.
const PORT: u16 = 8000;
/// How far a number may be from the one at training: it has been through JSON and back.
const TOLERANCE: f64 = 1e-9;

/// Starts a model server with the stack's own chart and values, and waits until it has loaded the model.
pub(super) async fn serve(verification: &Verification<'_>) -> StepResult {
    let release = release(verification).map_err(Failure::new)?;
    let upgrade = helm::Upgrade { release: &release, chart: &verification.chart.path, digest: NAME, revision: 1 };
    let output = verification.runner.run(helm::upgrade(verification.tools, &upgrade)).await?;
    let upgraded = helm::upgraded(&output.stdout).ok_or_else(|| Failure::new("helm's answer is not JSON"))?;
    let objects = documents(&upgraded.manifest).map_err(|error| Failure::new(error.to_string()))?;
    let started = Instant::now();
    let wait = Wait {
        release: RELEASE,
        namespace: &release.namespace,
        workloads: Workload::of_manifest(&objects, &release.namespace),
        limit: verification.limits.step,
        grace: verification.limits.grace,
    };
    wait_ready(verification.runner, wait).await?;
    Ok(format!("models:/{NAME}@{CHAMPION} was loaded in {:.0}s", started.elapsed().as_secs_f64()))
}

/// Returns the release as the stack would make it, without what only a server that stays needs.
fn release(verification: &Verification<'_>) -> Result<Release, String> {
    let namespace = verification.namespace();
    let text = verification.source.read(VALUES).map_err(|error| error.to_string())?;
    let variables = json!({"name": RELEASE, "namespace": namespace});
    let context = verification.stack.context.with("release", variables);
    let path = verification.source.display_path(VALUES);
    let mut values = Engine::new().values(&path, &text, &context).map_err(|error| error.to_string())?;
    let own = json!({
        "fullnameOverride": RELEASE,
        "replicaCount": 1,
        "model": {"uri": format!("models:/{NAME}@{CHAMPION}")},
        // The model comes through MLflow: no S3 user is copied into this namespace.
        "s3": {"existingSecret": ""},
        "inputLogging": {"enabled": false},
        "podDisruptionBudget": {"enabled": false},
        "networkPolicy": {"enabled": false},
        "serviceMonitor": {"interval": "5s"},
    });
    merge(&mut values, own);
    Ok(Release {
        name: RELEASE.into(),
        title: String::new(),
        namespace,
        chart: ChartRef::Stack { name: "fastapi-model-server".into() },
        values,
        needs: Vec::new(),
        secrets: Vec::new(),
        crds: None,
        api_versions: Vec::new(),
        ui: None,
        ready: Vec::new(),
        timeout_seconds: u32::try_from(verification.limits.step.as_secs()).unwrap_or(u32::MAX),
        force_conflicts: false,
        migrates: None,
    })
}

/// Asks the server for predictions, which must be those that the model gave when it was trained.
pub(super) async fn predict(verification: &Verification<'_>, mlflow: &Mlflow, run: &str) -> StepResult {
    let expected = mlflow.artifact(run, VERIFICATION).await?;
    let server = Service { namespace: verification.namespace(), name: RELEASE.into(), port: PORT };
    let answer = server.connect(verification.runner).await?.post("/predict", &expected["inputs"]).await?;
    let (wanted, got) = (&expected["predictions"], &answer["predictions"]);
    if !alike(wanted, got) {
        return Err(Failure {
            reason: "the server predicts something else than the model did at training".into(),
            evidence: format!("at training: {wanted}\nserved:      {got}"),
            fix: "do the images of pipelines and serving hold the same versions of the model's libraries?".into(),
        });
    }
    let count = got.as_array().map_or(0, Vec::len);
    let version = answer["model"]["version"].as_str().unwrap_or("?");
    Ok(format!("{count} predictions as at training, by version {version}"))
}

fn alike(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Array(a), Value::Array(b)) => {
            !a.is_empty() && a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        _ => false,
    }
}

fn same(a: &Value, b: &Value) -> bool {
    match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => (a - b).abs() <= TOLERANCE * a.abs().max(1.0),
        _ if a.is_array() => alike(a, b),
        _ => a == b,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::alike;

    #[test]
    fn predictions_are_alike_where_every_value_is() {
        assert!(alike(&json!([1, 0]), &json!([1.0, 0.0])));
        assert!(alike(&json!([[0.25, 0.75]]), &json!([[0.25, 0.75]])));
        assert!(alike(&json!(["a"]), &json!(["a"])));
        assert!(!alike(&json!([1, 0]), &json!([1, 1])));
        assert!(!alike(&json!([1]), &json!([1, 1])));
        assert!(!alike(&json!([]), &json!([])), "no prediction proves nothing");
        assert!(!alike(&json!(null), &json!(null)));
    }
}
