//! The way from a training run to a prediction in real pods: PostgreSQL, MinIO, MLflow, Argo's controller, training, the model
//! server, Prometheus. Needs `tests/cluster/cluster up --nodes real`; `tests/run` starts one where the machine allows it.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, sleep};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::cluster::{PROJECT, command, kubectl, kubectl_command, objects, run, variable};
use crate::stack::Stack;

/// How often the client asks while the model changes.
const PACE: Duration = Duration::from_millis(50);
/// How long a new champion may take to be served: the server looks every 15 s.
const SERVED: Duration = Duration::from_mins(1);

fn folder() -> PathBuf {
    variable("MLOPSCTL_TEST_CLUSTER").expect("MLOPSCTL_TEST_CLUSTER names the folder of a cluster with a real node")
}

/// The images of the real node, and Prometheus on it; `more` is further text of the file.
fn config(more: &str) -> String {
    let images = fs::read_to_string(folder().join("images.yaml")).expect("the cluster was started with `--nodes real`");
    format!("{more}{images}  monitoring: {{testPrometheus: {{enabled: true}}}}\n")
}

#[test]
#[ignore = "needs a cluster with a real node, see tests/run"]
fn a_model_is_trained_served_promoted_and_kept() {
    let stack = Stack::with_crds("ml", &config(""));
    stack.up();
    stack.up_is_unchanged();
    verify(&stack);
    verify_names_the_cause(&stack);
    let first = train(&stack, &[]);
    serve(&stack);
    assert_eq!(served(&stack), 1);
    predicts_as_the_model_does_elsewhere(&stack);
    drift_is_reported(&stack);
    another_champion_costs_no_request(&stack);
    everything_is_there_after_down_and_up(&stack, &first);
    kubectl(["delete", "workflows.argoproj.io", "--all", "--namespace", &stack.dev()]);
    let outside =
        run(command(PathBuf::from(PROJECT).join("tests/cluster/cluster")).args(["dns", "--dir"]).arg(folder()));
    assert_eq!(outside, "", "names outside of the cluster were looked up");
}

fn verify(stack: &Stack) {
    let report = stack.run(&["verify", "--output", "json"]).code(0).json();
    for step in report["steps"].as_array().unwrap() {
        let wanted = if step["step"] == "log" { "skipped" } else { "passed" };
        assert_eq!(step["status"], wanted, "{step}");
    }
    let log = &report["steps"][6];
    assert!(log["reason"].as_str().unwrap().contains("simulated nodes"), "Loki has no real pod here: {log}");
    assert!(objects(["namespaces", &format!("{}-verify", stack.system())]).is_empty());
    assert_eq!(models(stack), json!([]), "nothing is left of it");
}

fn verify_names_the_cause(stack: &Stack) {
    stack.configure(&config("").replace("mlopsctl-test/pipelines:", "mlopsctl-test/nowhere:"));
    let report = stack.run(&["verify", "--grace", "5", "--output", "json"]).code(4).json();
    stack.configure(&config(""));
    let steps = report["steps"].as_array().unwrap();
    assert_eq!(steps[0]["status"], "failed", "{report}");
    // The image is one of localhost, where no registry answers.
    assert!(steps[0]["reason"].as_str().unwrap().starts_with("MLC116 "), "{report}");
    assert!(steps[0]["evidence"].as_str().unwrap().contains("nowhere"), "{report}");
    assert!(steps[0]["seconds"].as_f64().unwrap() < 60.0, "{report}");
    for step in &steps[1..] {
        assert_eq!(step["status"], "skipped", "{step}");
    }
    assert!(objects(["namespaces", &format!("{}-verify", stack.system())]).is_empty());
}

/// Runs the pipeline and returns its report. The controller that runs it is Argo's own.
fn train(stack: &Stack, parameters: &[&str]) -> Value {
    let text = fs::read_to_string(PathBuf::from(PROJECT).join("tests/cluster/argo.yaml")).unwrap();
    let text = text.replace("mlops-system", &stack.system()).replace("mlops-dev", &stack.dev());
    let file = stack.work().join("argo.yaml");
    fs::write(&file, text).unwrap();
    kubectl(["apply", "-f", file.to_str().unwrap()]);
    let arguments = [&["pipeline", "run", "--timeout", "600", "--output", "json"], parameters].concat();
    let report = stack.run(&arguments).code(0).json();
    assert_eq!(report["phase"], "Succeeded", "{report}");
    let steps: Vec<&str> = report["steps"].as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap()).collect();
    let order: Vec<usize> = ["data", "train", "evaluate", "gate", "register"]
        .iter()
        .map(|name| steps.iter().position(|step| step.starts_with(name)).unwrap_or_else(|| panic!("{name}: {steps:?}")))
        .collect();
    assert!(order.is_sorted(), "{steps:?}");
    let logs = stack.run(&["pipeline", "logs", report["name"].as_str().unwrap()]).code(0);
    assert!(logs.stdout.contains("accuracy"), "{logs}");
    report
}

fn serve(stack: &Stack) {
    stack.configure(&config("serving: {enabled: true}\n"));
    let actions = stack.run(&["serving", "deploy", "--yes", "--output", "json"]).code(0).actions();
    // The S3 store gets a user and a bucket for the server; what the server does not need is left alone.
    let named = |name: &str| actions.get(name).map_or("none", String::as_str);
    assert_eq!(["demo", "minio", "mlflow", "argo"].map(named), ["installed", "upgraded", "unchanged", "none"]);
    stack.up_is_unchanged();
}

fn models(stack: &Stack) -> Value {
    stack.run(&["model", "list", "--output", "json"]).code(0).json()
}

/// Returns the version that is served.
fn served(stack: &Stack) -> u64 {
    let status = stack.run(&["serving", "status", "--output", "json"]).json();
    status["version"].as_str().unwrap_or_default().parse().unwrap_or(0)
}

#[track_caller]
fn wait_until_served(stack: &Stack, version: u64) {
    let started = Instant::now();
    while served(stack) != version {
        assert!(started.elapsed() < SERVED, "version {version} is not served after {SERVED:?}");
        sleep(Duration::from_secs(1));
    }
}

/// `kubectl port-forward`, ended when dropped: the cluster has a network of its own.
struct Forward {
    child: Child,
    url: String,
    /// Keeps its connection: kubectl writes a line for each new one, which nobody reads.
    agent: ureq::Agent,
}

impl Forward {
    fn open(namespace: &str, service: &str, port: u16) -> Self {
        let target = [format!("service/{service}"), format!(":{port}")];
        let mut kubectl = kubectl_command(["port-forward", "--namespace", namespace, &target[0], &target[1]]);
        let mut child = kubectl.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let address = line.strip_prefix("Forwarding from ").and_then(|rest| rest.split(" -> ").next());
        let url = format!("http://{}", address.unwrap_or_else(|| panic!("{line}")));
        // Without the proxy of the environment, which would lead out of this machine.
        Self { url, child, agent: ureq::Agent::config_builder().proxy(None).build().into() }
    }

    fn server(stack: &Stack) -> Self {
        Self::open(&stack.prod(), "demo-fastapi-model-server", 8000)
    }

    fn predict(&self, rows: &[Value]) -> Result<Value, String> {
        let body = json!({"dataframe_records": rows}).to_string();
        let response = self.agent.post(&format!("{}/predict", self.url)).content_type("application/json").send(body);
        let text = response.and_then(|mut response| response.body_mut().read_to_string());
        serde_json::from_str(&text.map_err(|error| error.to_string())?).map_err(|error| error.to_string())
    }
}

impl Drop for Forward {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn row(age: f64) -> Value {
    json!({"tenure_months": 3.0, "monthly_charge": 80.0, "support_calls": 4.0, "data_gigabytes": 2.0, "age_years": age})
}

/// Loads the model on this machine, by MLflow's own client, and compares its answers with those of the server.
fn predicts_as_the_model_does_elsewhere(stack: &Stack) {
    let rows: Vec<Value> = (0..50).map(|index| row(18.0 + f64::from(index))).collect();
    let served = Forward::server(stack).predict(&rows).unwrap();
    let mlflow = Forward::open(&stack.system(), "mlflow", 5000);
    let python = run(&mut command(PathBuf::from(PROJECT).join("images/venv")));
    let script = "import sys, json, mlflow, pandas
model = mlflow.pyfunc.load_model('models:/demo-model@champion')
print(json.dumps(model.predict(pandas.DataFrame(json.load(sys.stdin))).tolist()))";
    let mut child = command(PathBuf::from(python.trim()).join("bin/python"));
    child.args(["-c", script]).env("MLFLOW_TRACKING_URI", &mlflow.url).env("NO_PROXY", "127.0.0.1");
    // Or MLflow names the address that the S3 store has inside the cluster.
    child
        .env("MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD", "false")
        .env("MLFLOW_DISABLE_TELEMETRY", "true")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut child = child.spawn().unwrap();
    serde_json::to_writer(child.stdin.take().unwrap(), &rows).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let elsewhere: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    assert_eq!(served["predictions"], elsewhere);
}

/// The report reads what the server has logged, with the pipelines' own S3 user.
fn drift_is_reported(stack: &Stack) {
    let report = stack.run(&["pipeline", "run", "drift", "--timeout", "300", "--output", "json"]).code(0).json();
    assert_eq!(report["phase"], "Succeeded", "{report}");
    assert_eq!(report["outputs"]["status"], "too few rows", "{report}");
}

/// Promotes a second version and rolls it back while a client asks 20 times a second.
fn another_champion_costs_no_request(stack: &Stack) {
    train(stack, &["-p", "seed=8"]);
    let version = |alias: &str| models(stack)[0]["aliases"][alias].as_u64().unwrap();
    assert_eq!(version("challenger"), 2);
    if version("champion") == 2 {
        // It was no worse than the first one.
        stack.run(&["model", "rollback", "demo-model"]).code(0);
    }
    wait_until_served(stack, 1);
    let client = Client::start(Forward::server(stack));
    let change = stack.run(&["model", "promote", "demo-model", "2", "--output", "json"]).code(0).json();
    assert_eq!((&change["version"], &change["previous"]), (&json!(2), &json!(1)));
    wait_until_served(stack, 2);
    stack.run(&["model", "rollback", "demo-model"]).code(0);
    wait_until_served(stack, 1);
    let (versions, failures) = client.stop();
    assert!(failures.is_empty(), "{} of {} failed: {:?}", failures.len(), versions.len(), failures.first());
    assert!(versions.len() >= 100, "{}", versions.len());
    let mut seen = versions;
    seen.dedup();
    assert_eq!(seen, ["1", "2", "1"], "a request was answered by another version than those before and after it");
}

/// A client that asks all the time.
struct Client {
    over: Arc<AtomicBool>,
    thread: JoinHandle<(Vec<String>, Vec<String>)>,
}

impl Client {
    fn start(server: Forward) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let until = Arc::clone(&over);
        let thread = std::thread::spawn(move || {
            let (mut versions, mut failures) = (Vec::new(), Vec::new());
            while !until.load(Ordering::SeqCst) {
                let next = Instant::now() + PACE;
                match server.predict(&[row(41.0)]) {
                    Ok(answer) => versions.push(answer["model"]["version"].as_str().unwrap_or("none").to_owned()),
                    Err(error) => failures.push(error),
                }
                sleep(next.saturating_duration_since(Instant::now()));
            }
            (versions, failures)
        });
        Self { over, thread }
    }

    /// Returns the version of each answer and the reason of each failure.
    fn stop(self) -> (Vec<String>, Vec<String>) {
        self.over.store(true, Ordering::SeqCst);
        self.thread.join().unwrap()
    }
}

fn everything_is_there_after_down_and_up(stack: &Stack, first: &Value) {
    let before = models(stack);
    let report = stack.run(&["down", "--yes", "--output", "json"]).code(0).json();
    down_names_what_the_volumes_hold(&report["inventory"]);
    assert!(
        objects(["pods", "--namespace", &stack.system(), "--selector", "app.kubernetes.io/name=mlflow"]).is_empty()
    );
    stack.up();
    assert_eq!(models(stack), before);
    wait_until_served(stack, 1);
    let version = before[0]["versions"].as_array().unwrap().last().unwrap();
    assert_eq!(version["runId"], first["outputs"]["run-id"]);
    // Runs and artifacts as well: the model was loaded from them just now.
    predicts_as_the_model_does_elsewhere(stack);
}

fn down_names_what_the_volumes_hold(inventory: &Value) {
    let bytes = |release: &str, what: &str, name: &str| {
        let contents = inventory["contents"].as_array().unwrap().iter().find(|it| it["release"] == release);
        let contents = contents.unwrap_or_else(|| panic!("{release} was not asked: {inventory}"));
        assert_eq!(
            (&contents["what"], &contents["fate"], &contents["problem"]),
            (&what.into(), &"keep".into(), &Value::Null)
        );
        let item = contents["items"].as_array().unwrap().iter().find(|it| it["name"] == name);
        item.unwrap_or_else(|| panic!("{name} is not named: {contents}"))["bytes"].as_u64().unwrap()
    };
    // An empty database has 7 MB; the store holds two trained models.
    assert!(bytes("pg", "database", "mlflow") > 7_000_000, "{inventory}");
    assert!(bytes("minio", "bucket", "mlflow") > 4096, "{inventory}");
    let models = &inventory["models"];
    assert_eq!(
        (&models["models"], &models["versions"], &models["fate"]),
        (&1.into(), &2.into(), &"keep".into()),
        "{models}"
    );
}
