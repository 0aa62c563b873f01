//! Making one fault, and measuring what `up` says of it.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::Child;
use std::thread;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::by::{self, Setting};
use super::data::{Fault, Nodes};
use super::report::Row;
use crate::cluster::{kubectl, kubectl_command, kubectl_with, objects, variable};
use crate::stack::Stack;

/// Seconds that a cause that cannot heal may last.
const GRACE: u32 = 2;
/// Seconds that the release may take where the fault does not say.
const LIMIT: u32 = 60;

/// Makes a fault in namespaces of its own.
pub(super) fn make(index: usize, fault: &Fault) -> Row {
    let letter = if fault.nodes == Some(Nodes::Real) { 'r' } else { 's' };
    let stack = Stack::new(&format!("f{letter}{index}"), "");
    let namespace = namespace(&stack, fault);
    let mut fault = fault.clone();
    fault.fill(&[("NAMESPACE", namespace.clone())]);
    stack.configure(&config(&fault));
    if !fault.before.is_empty() {
        kubectl(["create", "namespace", &namespace]);
        fault.before.iter().for_each(|object| _ = kubectl_with(["create", "-n", &namespace, "-f", "-"], object));
    }
    if !fault.first.is_empty() {
        write_chart(&stack, &fault.first);
        stack.run(&["up", "--yes"]).code(0);
    }
    if !fault.patch.is_empty() {
        kubectl(fault.patch.iter().map(String::as_str).chain(["--namespace", &namespace]));
    }
    write_chart(&stack, &fault.objects());
    let setting = fault.by.as_ref().map(|name| by::set(name, &stack, &namespace)).unwrap_or_default();
    let heard = listen(&stack, &setting, &namespace, &fault);
    let row = judge(&fault, &namespace, &heard);
    setting.end();
    row
}

fn namespace(stack: &Stack, fault: &Fault) -> String {
    match fault.namespace.as_deref() {
        Some("dev") => stack.dev(),
        Some("prod") => stack.prod(),
        _ => stack.system(),
    }
}

/// A stack of the one release, and of what it is to stand beside.
fn config(fault: &Fault) -> String {
    let with = |name: &str| fault.with.as_deref() == Some(name);
    let mut config = json!({
        "monitoring": {"enabled": false}, "logging": {"enabled": false},
        "workflows": {"enabled": false}, "mlflow": {"enabled": false},
        "objectStore": {"provider": "external", "external": {"endpoint": "http://s3.example.com"}},
        "database": {"provider": "external", "external": {"host": "db.example.com"}},
    });
    let mut release = json!({
        "name": "fault", "title": "what has the fault", "timeoutSeconds": fault.limit.unwrap_or(LIMIT),
        "namespace": fault.namespace.as_deref().unwrap_or("system"), "chart": {"name": "fault", "path": "fault"},
    });
    for (part, needed) in [("objectStore", "minio"), ("database", "pg")] {
        if with(part) {
            config.as_object_mut().unwrap().remove(part);
            release["needs"] = json!([{"release": needed, "until": "ready", "because": "it logs in"}]);
        }
    }
    config["releases"] = json!([release]);
    let lines = config.as_object().unwrap().iter().map(|(key, value)| format!("{key}: {value}\n"));
    let text: String = lines.collect();
    if fault.with.is_none() {
        return text;
    }
    let folder = variable("MLOPSCTL_TEST_CLUSTER").unwrap();
    text + &fs::read_to_string(folder.join("images.yaml")).unwrap()
}

/// Writes the chart of the release; its objects are plain JSON.
pub(super) fn write_chart(stack: &Stack, objects: &[Value]) {
    let texts: Vec<String> = objects.iter().map(Value::to_string).collect();
    write_template(&stack.work().join("fault"), &texts.join("\n---\n"));
}

/// Writes a chart of one template.
pub(super) fn write_template(folder: &Path, text: &str) {
    fs::create_dir_all(folder.join("templates")).unwrap();
    fs::write(folder.join("Chart.yaml"), "apiVersion: v2\nname: fault\nversion: 0.1.0\n").unwrap();
    fs::write(folder.join("values.yaml"), "{}\n").unwrap();
    fs::write(folder.join("templates/objects.yaml"), text).unwrap();
}

/// A line of `up`, and when it came.
type Line = (Timestamp, String);

/// What `up` said.
struct Heard {
    began: Timestamp,
    ended: Timestamp,
    exit: i32,
    events: Vec<Line>,
    talk: Vec<Line>,
}

fn listen(stack: &Stack, setting: &Setting, namespace: &str, fault: &Fault) -> Heard {
    let grace = GRACE.to_string();
    let mut args = vec!["up", "--yes", "--output", "ndjson", "--grace", &grace];
    args.extend(setting.args.iter().map(String::as_str));
    let mut command = stack.command(&args);
    command.envs(setting.env.iter().map(|(name, value)| (name, value)));
    if setting.without_charts {
        command.env_remove("MLOPSCTL_CHARTS");
    }
    let command = setting.wrapped(command);
    let began = Timestamp::now();
    let mut child: Child = command.unwrap_or_else(|| panic!("{}: cannot be made here", fault.name)).spawn().unwrap();
    let (stdout, stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let talk = thread::spawn(move || read(stderr, |_| ()));
    let events = read(stdout, |line| setting.hear(line, namespace));
    let exit = child.wait().unwrap().code().unwrap_or(-1);
    Heard { began, ended: Timestamp::now(), exit, events, talk: talk.join().unwrap() }
}

fn read(stream: impl std::io::Read, mut hear: impl FnMut(&str)) -> Vec<Line> {
    let lines = BufReader::new(stream).lines().map_while(Result::ok);
    lines
        .map(|line| {
            hear(&line);
            (Timestamp::now(), line)
        })
        .collect()
}

fn judge(fault: &Fault, namespace: &str, heard: &Heard) -> Row {
    let events: Vec<(Timestamp, Value)> =
        heard.events.iter().filter_map(|(at, line)| Some((*at, serde_json::from_str(line).ok()?))).collect();
    let of_fault = |event: &&(Timestamp, Value)| event.1["release"] == "fault";
    let step = events
        .last()
        .and_then(|(_, report)| report["steps"].as_array())
        .and_then(|steps| steps.iter().find(|step| step["release"] == "fault").map(|step| step["cause"].clone()));
    let expected = |event: &&(Timestamp, Value)| event.1["cause"]["code"] == fault.code.as_str();
    let live = events.iter().filter(of_fault).find(expected);
    let error = heard.talk.iter().find(|(_, line)| line.starts_with("error:"));
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let (given, evidence) = match (step.filter(Value::is_object), error, live) {
        (Some(cause), _, _) => (text(&cause["code"]), text(&cause["evidence"]).unwrap_or_default()),
        (None, Some(_), _) => {
            let talk: Vec<&str> = heard.talk.iter().map(|(_, line)| line.as_str()).collect();
            (code_in(&error.unwrap().1), talk.join("\n"))
        }
        // It healed.
        (None, None, Some((_, event))) => {
            (text(&event["cause"]["code"]), text(&event["cause"]["evidence"]).unwrap_or_default())
        }
        (None, None, None) => (None, String::new()),
    };
    let exit = fault.exit.unwrap_or(1);
    let right = given.as_deref() == Some(&fault.code) && evidence.contains(&fault.evidence) && heard.exit == exit;
    let started = events.iter().filter(of_fault).find(|(_, event)| event["event"] == "started").map(|(at, _)| *at);
    // What was said before the release began is about what it stands beside.
    let began = started.unwrap_or(heard.began);
    let sign = first_sign(namespace, began).unwrap_or(began);
    let finished = events.iter().filter(of_fault).find(|(_, event)| event["event"] == "finished").map(|(at, _)| *at);
    let since = |at: Timestamp| at.duration_since(sign).as_secs_f64().max(0.0);
    let reported = finished.or(error.map(|(at, _)| *at)).unwrap_or(heard.ended);
    // What may heal gets the whole limit of its release, which begins with the release.
    let late = match fault.limit {
        None => since(reported) - f64::from(GRACE),
        Some(limit) => reported.duration_since(started.unwrap_or(sign)).as_secs_f64() - f64::from(limit),
    };
    let lines = heard.events.iter().chain(&heard.talk).map(|(_, line)| line.as_str());
    Row {
        fault: fault.name.clone(),
        nodes: fault.nodes,
        expected: fault.code.clone(),
        shown: live.or(None).map(|(at, _)| since(*at)).or_else(|| given.as_ref().map(|_| since(reported))),
        reported: (fault.exit != Some(0)).then_some(late.max(0.0)),
        transcript: if right { String::new() } else { lines.collect::<Vec<_>>().join("\n") },
        given,
        evidence,
        right,
        exit: heard.exit,
    }
}

fn code_in(line: &str) -> Option<String> {
    line.split([' ', ':']).find(|word| word.starts_with("MLC")).map(str::to_owned)
}

/// Returns when the cluster showed the fault first: a warning, a condition, the state of a container. Its times are whole seconds.
fn first_sign(namespace: &str, began: Timestamp) -> Option<Timestamp> {
    let mut get = kubectl_command(["get", "events,pods", "--namespace", namespace, "--ignore-not-found", "-o", "json"]);
    let answer: Value = serde_json::from_slice(&get.output().unwrap().stdout).unwrap_or_default();
    let mut times: Vec<&Value> = Vec::new();
    for object in answer["items"].as_array().into_iter().flatten() {
        if object["type"] == "Warning" || object["reason"] == "FailedBinding" {
            let metadata = &object["metadata"]["creationTimestamp"];
            times.extend([&object["eventTime"], &object["firstTimestamp"], metadata]);
        }
        for condition in object["status"]["conditions"].as_array().into_iter().flatten() {
            if condition["type"] == "PodScheduled" && condition["status"] == "False" {
                times.push(&condition["lastTransitionTime"]);
            }
        }
        for status in object["status"]["containerStatuses"].as_array().into_iter().flatten() {
            times.push(&status["lastState"]["terminated"]["finishedAt"]);
            times.push(&status["state"]["terminated"]["finishedAt"]);
        }
    }
    let earliest = began - jiff::SignedDuration::from_secs(1);
    let parsed = times.into_iter().filter_map(|time| time.as_str()?.parse::<Timestamp>().ok());
    parsed.filter(|time| *time >= earliest).min().map(|time| time.max(began))
}

/// Returns the pods of the release.
pub(super) fn pods(namespace: &str) -> Vec<Value> {
    objects(["pods", "--namespace", namespace])
}
