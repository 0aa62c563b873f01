//! What is read out of MLflow's and Argo's answers, and what `verify` reports.

use std::collections::BTreeMap;

use jiff::Timestamp;
use mlopsctl::mlflow::{Model, ModelVersion};
use mlopsctl::stack::StackSource;
use mlopsctl::verify::{Outcome, StepName, StepReport, VerifyReport};
use mlopsctl::workflow::{Run, pipelines, submission};
use serde_json::json;

use crate::harness::snapshot;

fn version(number: u64, champion_since: Option<&str>) -> ModelVersion {
    ModelVersion {
        version: number,
        run_id: format!("run-{number}"),
        status: "READY".into(),
        created: 0,
        champion_since: champion_since.map(str::to_owned),
    }
}

fn model(champion: Option<u64>, versions: Vec<ModelVersion>) -> Model {
    let aliases = champion.map(|version| ("champion".to_owned(), version));
    Model { name: "demo".into(), aliases: aliases.into_iter().collect(), versions }
}

#[test]
fn a_rollback_goes_to_the_champion_before_this_one() {
    let early = Some("2026-11-01T10:00:00Z");
    // Python writes no fraction where there is none; as text this one would be later than half a second after it.
    let late = Some("2026-11-01T10:00:00.5Z");
    let now = Some("2026-11-20T08:00:00Z");
    let known = model(Some(4), vec![version(4, now), version(3, early), version(2, late), version(1, None)]);
    assert_eq!(known.previous_champion(), Some(2));
    assert_eq!(model(Some(4), vec![version(4, now), version(3, None)]).previous_champion(), None);
    assert_eq!(model(Some(2), vec![version(2, None), version(1, early)]).previous_champion(), Some(1));
    assert_eq!(model(None, vec![version(1, early)]).previous_champion(), Some(1));
    assert_eq!(model(Some(2), vec![version(2, now), version(1, Some("yesterday"))]).previous_champion(), None);
}

#[test]
fn aliases_are_listed_by_version() {
    let mut known = model(Some(2), vec![version(2, None), version(1, None)]);
    known.aliases.insert("challenger".into(), 2);
    known.aliases.insert("shadow".into(), 1);
    assert_eq!(known.aliases_of(2), ["challenger", "champion"]);
    assert_eq!(known.aliases_of(1), ["shadow"]);
    assert_eq!(known.aliases_of(3), [""; 0]);
}

#[test]
fn the_stack_brings_its_pipelines() {
    let found = pipelines(&StackSource::Embedded).unwrap();
    let names: Vec<&str> = found.iter().map(|pipeline| pipeline.name.as_str()).collect();
    assert_eq!(names, ["drift", "train-register"]);
    for pipeline in &found {
        for parameter in ["model", "tracking-uri", "image"] {
            assert!(pipeline.parameters.iter().any(|it| it == parameter), "{} has no {parameter}", pipeline.name);
        }
    }
    let workflow = submission(&found[1], "mlops-dev", &[("seed".into(), "8".into())]);
    assert_eq!(workflow["metadata"]["generateName"], "train-register-");
    assert_eq!(workflow["spec"]["arguments"]["parameters"], json!([{"name": "seed", "value": "8"}]));
}

#[test]
fn a_workflow_is_read_with_its_steps_in_order() {
    let node = |name: &str, kind: &str, phase: &str, started: &str| json!({"displayName": name, "type": kind, "phase": phase, "startedAt": started});
    let workflow = json!({
        "metadata": {"name": "train-register-x", "creationTimestamp": "2026-11-20T08:00:00Z"},
        "spec": {"workflowTemplateRef": {"name": "train-register"}},
        "status": {
            "phase": "Failed", "progress": "2/3", "message": "child 'train' failed",
            "startedAt": "2026-11-20T08:00:01Z", "finishedAt": "2026-11-20T08:01:11Z",
            "outputs": {"parameters": [{"name": "run-id", "value": "abc"}]},
            "nodes": {
                "a": node("train-register-x", "DAG", "Failed", "2026-11-20T08:00:01Z"),
                "b": node("train", "Retry", "Failed", "2026-11-20T08:00:09Z"),
                "c": node("train(0)", "Pod", "Failed", "2026-11-20T08:00:09Z"),
                "d": node("data", "Pod", "Succeeded", "2026-11-20T08:00:02Z"),
                "e": node("promote", "Skipped", "Omitted", "2026-11-20T08:01:10Z"),
            },
        },
    });
    let later: Timestamp = "2026-11-20T09:00:00Z".parse().unwrap();
    let run = Run::of(&workflow, later).unwrap();
    assert!(run.is_finished());
    assert_eq!((run.pipeline.as_str(), run.progress.as_str(), run.seconds), ("train-register", "2/3", Some(70)));
    assert_eq!(run.outputs, BTreeMap::from([("run-id".to_owned(), "abc".to_owned())]));
    let steps: Vec<(&str, &str)> = run.steps.iter().map(|step| (step.name.as_str(), step.phase.as_str())).collect();
    assert_eq!(steps, [("data", "Succeeded"), ("train(0)", "Failed"), ("promote", "Omitted")]);

    let fresh = json!({"metadata": {"name": "new"}, "spec": {}});
    let run = Run::of(&fresh, later).unwrap();
    assert!(!run.is_finished());
    assert_eq!((run.phase.as_str(), run.progress.as_str(), run.seconds), ("", "-", None));
    assert_eq!(Run::of(&json!({}), later), None);
}

#[test]
fn a_verification_is_written_for_ci_systems() {
    let step = |step, outcome| StepReport { step, seconds: 1.5, outcome };
    let failed = Outcome::Failed {
        reason: "MLC101 an image cannot be pulled".into(),
        evidence: "ErrImagePull: <no such host>".into(),
        fix: "check the image's name".into(),
    };
    let report = VerifyReport {
        ok: false,
        seconds: 4.5,
        steps: vec![
            step(StepName::Train, Outcome::Passed { detail: "trained".into() }),
            step(StepName::Track, failed),
            step(StepName::Log, Outcome::Skipped { reason: "release `loki` is switched off".into() }),
        ],
        left: Vec::new(),
    };
    snapshot!(report.to_junit(), @r#"
    <?xml version="1.0" encoding="UTF-8"?>
    <testsuites name="mlopsctl" tests="3" skipped="1" failures="1" errors="0" time="4.500">
        <testsuite name="mlopsctl verify" tests="3" skipped="1" errors="0" failures="1">
            <testcase name="train" classname="verify" time="1.500"/>
            <testcase name="track" classname="verify" time="1.500">
                <failure message="MLC101 an image cannot be pulled">MLC101 an image cannot be pulled
    ErrImagePull: &lt;no such host&gt;
    check the image&apos;s name</failure>
            </testcase>
            <testcase name="log" classname="verify" time="1.500">
                <skipped message="release `loki` is switched off"/>
            </testcase>
        </testsuite>
    </testsuites>
    "#);
    snapshot!(serde_json::to_string_pretty(&report).unwrap(), @r#"
    {
      "ok": false,
      "seconds": 4.5,
      "steps": [
        {
          "step": "train",
          "seconds": 1.5,
          "status": "passed",
          "detail": "trained"
        },
        {
          "step": "track",
          "seconds": 1.5,
          "status": "failed",
          "reason": "MLC101 an image cannot be pulled",
          "evidence": "ErrImagePull: <no such host>",
          "fix": "check the image's name"
        },
        {
          "step": "log",
          "seconds": 1.5,
          "status": "skipped",
          "reason": "release `loki` is switched off"
        }
      ]
    }
    "#);
}
