//! The steps of `verify` in order, and what follows from one that fails.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::report::{Outcome, StepName, StepReport, VerifyReport};
use super::stand_in::{Backend, backend};
use super::{clean, serve, train, watch};
use crate::apply::Cause;
use crate::chart::Chart;
use crate::cluster::STACK_LABEL;
use crate::config::Config;
use crate::exec::{ExecError, Runner, Tools};
use crate::kubectl;
use crate::mlflow::Mlflow;
use crate::service::{Service, ServiceError};
use crate::stack::{Offer, Stack, StackFile, StackSource};

/// Name of everything that `verify` makes outside of its namespace: the experiment and the registered model.
pub(super) const NAME: &str = "mlopsctl-verify";

/// How long things may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// One step.
    pub(crate) step: Duration,
    /// A cause that cannot heal by itself.
    pub(crate) grace: Duration,
}

/// What a verification works with.
#[derive(Debug)]
pub(crate) struct Verification<'a> {
    pub(crate) runner: &'a Runner,
    pub(crate) tools: &'a Tools,
    pub(crate) config: &'a Config,
    pub(crate) catalog: &'a StackFile,
    pub(crate) source: &'a StackSource,
    pub(crate) stack: &'a Stack,
    /// The chart of the model server.
    pub(crate) chart: &'a Chart,
    pub(crate) limits: Limits,
    /// Leaves everything in place for a look.
    pub(crate) keep: bool,
}

/// Why nothing could be verified.
#[derive(Debug, thiserror::Error)]
pub(crate) enum VerifyError {
    /// MLflow is not there.
    #[error("no pod is behind {service}: is the stack installed?")]
    NotInstalled {
        /// The Service.
        service: String,
    },
    /// The namespace is taken.
    #[error("namespace {namespace} exists since {since}: another verification runs, or was killed")]
    Taken {
        /// The namespace.
        namespace: String,
        /// Its creation time.
        since: String,
    },
    /// The namespace belongs to somebody else.
    #[error("namespace {namespace} is not of this stack")]
    Foreign {
        /// The namespace.
        namespace: String,
    },
    /// The cluster does not answer as it should.
    #[error(transparent)]
    Exec(#[from] ExecError),
    /// MLflow cannot be reached.
    #[error(transparent)]
    Mlflow(ServiceError),
    /// A leftover in the registry could not be removed.
    #[error("what an earlier verification left in MLflow could not be removed")]
    Leftovers(#[source] ServiceError),
}

/// Why a step does not hold.
#[derive(Debug, Clone, Default)]
pub(super) struct Failure {
    pub(super) reason: String,
    pub(super) evidence: String,
    pub(super) fix: String,
}

impl Failure {
    pub(super) fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), ..Self::default() }
    }
}

impl From<ServiceError> for Failure {
    fn from(error: ServiceError) -> Self {
        let evidence = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
        Self { reason: error.to_string(), evidence, fix: "mlopsctl status".into() }
    }
}

impl From<ExecError> for Failure {
    fn from(error: ExecError) -> Self {
        Self::new(error.to_string())
    }
}

impl From<Cause> for Failure {
    fn from(cause: Cause) -> Self {
        Self { reason: format!("{} {}", cause.code, cause.title), evidence: cause.evidence, fix: cause.fix }
    }
}

/// What a step returns: what was seen, or why it does not hold.
pub(super) type StepResult = Result<String, Failure>;

impl Verification<'_> {
    /// Returns the namespace that everything runs in.
    pub(crate) fn namespace(&self) -> String {
        format!("{}-verify", self.config.namespaces.system)
    }

    /// Runs all steps. `begun` and `done` are called around each.
    pub(crate) async fn run(
        &self,
        mut begun: impl FnMut(StepName),
        mut done: impl FnMut(&StepReport),
    ) -> Result<VerifyReport, VerifyError> {
        let started = Instant::now();
        let tracking = match Offer::of(self.stack, self.catalog.services.tracking.as_ref()) {
            Offer::On { service, .. } => service,
            Offer::Off { release } => return Ok(all_skipped(&format!("release `{release}` is switched off"), done)),
            Offer::Unknown => return Ok(all_skipped("this stack has no tracking server", done)),
        };
        match backend(self.runner, &tracking).await? {
            Backend::Real => {}
            Backend::Simulated => {
                return Ok(all_skipped("the pods of MLflow are on simulated nodes, where nothing runs", done));
            }
            Backend::Nothing => return Err(VerifyError::NotInstalled { service: tracking.to_string() }),
        }
        let mlflow = Mlflow::connect(self.runner, &tracking).await.map_err(VerifyError::Mlflow)?;
        self.take_namespace().await?;
        clean::registry(&mlflow).await.map_err(VerifyError::Leftovers)?;
        let mut steps = Vec::new();
        let mut run = String::new();
        for step in StepName::ALL {
            begun(step);
            let since = Instant::now();
            let outcome = match self.obstacle(step, &steps).await {
                Some(reason) => Outcome::Skipped { reason },
                None => match self.step(step, &mlflow, &mut run).await {
                    Ok(detail) => Outcome::Passed { detail },
                    Err(Failure { reason, evidence, fix }) => Outcome::Failed { reason, evidence, fix },
                },
            };
            let report = StepReport { step, seconds: since.elapsed().as_secs_f64(), outcome };
            done(&report);
            steps.push(report);
        }
        let left = if self.keep { Vec::new() } else { clean::all(self, &mlflow).await };
        let ok = !steps.iter().any(|step| matches!(step.outcome, Outcome::Failed { .. }));
        Ok(VerifyReport { ok, seconds: started.elapsed().as_secs_f64(), steps, left })
    }

    async fn step(&self, step: StepName, mlflow: &Mlflow, run: &mut String) -> StepResult {
        match step {
            StepName::Train => train::train(self).await,
            StepName::Track => train::track(mlflow, run).await,
            StepName::Register => train::register(mlflow, run).await,
            StepName::Serve => serve::serve(self).await,
            StepName::Predict => serve::predict(self, mlflow, run).await,
            StepName::Metric => watch::metric(self).await,
            StepName::Log => watch::log(self).await,
        }
    }

    /// Returns why a step cannot be tried: an earlier one that it rests on did not pass, or its component is not there.
    async fn obstacle(&self, step: StepName, earlier: &[StepReport]) -> Option<String> {
        if self.runner.is_interrupted() {
            return Some("interrupted".into());
        }
        let rests_on = |it: &&StepReport| !matches!(it.step, StepName::Metric | StepName::Log);
        if let Some(broken) = earlier.iter().filter(rests_on).find(|it| !matches!(it.outcome, Outcome::Passed { .. })) {
            return Some(format!("`{}` did not pass", broken.step.name()));
        }
        let (spec, what) = match step {
            StepName::Metric => (self.catalog.services.metrics.as_ref(), "Prometheus"),
            StepName::Log => (self.catalog.services.logs.as_ref(), "Loki"),
            _ => return None,
        };
        let service = match Offer::of(self.stack, spec) {
            Offer::On { service, .. } => service,
            Offer::Off { release } => return Some(format!("release `{release}` is switched off")),
            Offer::Unknown => return Some(format!("this stack has no {what}")),
        };
        match backend(self.runner, &service).await {
            Ok(Backend::Simulated) => Some(format!("the pods of {what} are on simulated nodes, where nothing runs")),
            _ => None,
        }
    }

    /// Makes the namespace, with the pull secrets of the stack. One that a killed verification left is removed first.
    async fn take_namespace(&self) -> Result<(), VerifyError> {
        let namespace = self.namespace();
        let answer = self.runner.run(kubectl::get([format!("namespace/{namespace}")], None)).await?;
        if let Some(found) = kubectl::items(&answer.stdout).first() {
            if found["metadata"]["labels"][STACK_LABEL] != self.stack.id.as_str() {
                return Err(VerifyError::Foreign { namespace });
            }
            let since = found["metadata"]["creationTimestamp"].as_str().unwrap_or_default().to_owned();
            let age = since.parse().map(|since: Timestamp| Timestamp::now().duration_since(since).as_secs());
            let longest = self.limits.step.as_secs() * StepName::ALL.len() as u64;
            let leaving = !found["metadata"]["deletionTimestamp"].is_null();
            if !leaving && age.is_ok_and(|age| u64::try_from(age).is_ok_and(|age| age < longest)) {
                return Err(VerifyError::Taken { namespace, since });
            }
            clean::namespace(self.runner, &namespace).await?;
        }
        let labels = json!({
            STACK_LABEL: self.stack.id,
            "pod-security.kubernetes.io/enforce": "restricted",
        });
        let object =
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": labels}});
        self.runner.run(kubectl::create(&[object])).await?;
        self.copy_pull_secrets(&namespace).await
    }

    async fn copy_pull_secrets(&self, namespace: &str) -> Result<(), VerifyError> {
        let names = &self.config.cluster.image_pull_secrets;
        if names.is_empty() {
            return Ok(());
        }
        let wanted = names.iter().map(|name| format!("secret/{name}"));
        let answer = self.runner.run(kubectl::get(wanted, Some(&self.config.namespaces.system))).await?;
        let copies: Vec<Value> = kubectl::items(&answer.stdout)
            .into_iter()
            .map(|secret| {
                let metadata = json!({"name": secret["metadata"]["name"], "namespace": namespace});
                json!({"apiVersion": "v1", "kind": "Secret", "type": secret["type"], "metadata": metadata, "data": secret["data"]})
            })
            .collect();
        if !copies.is_empty() {
            self.runner.run(kubectl::create(&copies)).await?;
        }
        Ok(())
    }

    /// Returns a service that was found to be part of the stack.
    pub(super) fn service(&self, spec: Option<&crate::stack::ServiceSpec>) -> Option<Service> {
        match Offer::of(self.stack, spec) {
            Offer::On { service, .. } => Some(service),
            Offer::Off { .. } | Offer::Unknown => None,
        }
    }
}

fn all_skipped(reason: &str, mut done: impl FnMut(&StepReport)) -> VerifyReport {
    let steps = StepName::ALL.map(|step| {
        let report = StepReport { step, seconds: 0.0, outcome: Outcome::Skipped { reason: reason.to_owned() } };
        done(&report);
        report
    });
    VerifyReport { ok: true, seconds: 0.0, steps: steps.into(), left: Vec::new() }
}
