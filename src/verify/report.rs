//! What `verify` found, as data, as text and as JUnit.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use serde::Serialize;

/// A step of the way from a training run to its prediction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum StepName {
    /// A Job trains a model and registers it.
    Train,
    /// The run and its artifacts are in the tracking server.
    Track,
    /// A version of the model is in the registry.
    Register,
    /// A model server loads it.
    Serve,
    /// It answers as the model did at training.
    Predict,
    /// Prometheus has the server's metrics.
    Metric,
    /// Loki has the server's log lines.
    Log,
}

impl StepName {
    /// All steps in order.
    pub const ALL: [Self; 7] =
        [Self::Train, Self::Track, Self::Register, Self::Serve, Self::Predict, Self::Metric, Self::Log];

    /// Returns its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Track => "track",
            Self::Register => "register",
            Self::Serve => "serve",
            Self::Predict => "predict",
            Self::Metric => "metric",
            Self::Log => "log",
        }
    }
}

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase", tag = "status")]
pub enum Outcome {
    /// It holds.
    Passed {
        /// What was seen.
        detail: String,
    },
    /// It does not hold.
    Failed {
        /// Why.
        reason: String,
        /// What shows it: an event, the last log lines; may be empty.
        evidence: String,
        /// The command or change that helps; may be empty.
        fix: String,
    },
    /// It was not tried.
    Skipped {
        /// Why.
        reason: String,
    },
}

/// One step with its outcome.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StepReport {
    /// The step.
    pub step: StepName,
    /// How long it took.
    pub seconds: f64,
    /// How it ended.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// The result of `verify`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct VerifyReport {
    /// No step failed.
    pub ok: bool,
    /// How long all of it took, cleaning up included.
    pub seconds: f64,
    /// The steps in order.
    pub steps: Vec<StepReport>,
    /// What could not be cleaned up, with the reason.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<String>,
}

impl VerifyReport {
    /// Returns the number of steps that ended in a way.
    pub fn count(&self, wanted: fn(&Outcome) -> bool) -> usize {
        self.steps.iter().filter(|step| wanted(&step.outcome)).count()
    }

    /// Returns the report in the JUnit format that CI systems read.
    pub fn to_junit(&self) -> String {
        let mut suite = TestSuite::new("mlopsctl verify");
        for StepReport { step, seconds, outcome } in &self.steps {
            let status = match outcome {
                Outcome::Passed { .. } => TestCaseStatus::success(),
                Outcome::Failed { reason, evidence, fix } => {
                    let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
                    status.set_message(reason.as_str()).set_description(format!("{reason}\n{evidence}\n{fix}"));
                    status
                }
                Outcome::Skipped { reason } => {
                    let mut status = TestCaseStatus::skipped();
                    status.set_message(reason.as_str());
                    status
                }
            };
            let mut case = TestCase::new(step.name(), status);
            case.set_classname("verify").set_time(Duration::from_secs_f64(*seconds));
            suite.add_test_case(case);
        }
        let mut report = Report::new("mlopsctl");
        report.set_time(Duration::from_secs_f64(self.seconds)).add_test_suite(suite);
        report.to_string().unwrap_or_default()
    }
}
