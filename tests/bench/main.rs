//! Measures rendering and planning in process, and whole runs on throwaway clusters. `make bench` runs it; the figures
//! go to `target/bench/`.

mod cluster;
mod process;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use mlopsctl::cluster::ClusterState;
use mlopsctl::config::{self, Config};
use mlopsctl::plan::{Inputs, build};
use mlopsctl::stack::{ChartRef, ReleaseSpec, StackFile, StackSource, resolve};
use serde_json::{Value, json};

fn main() {
    let folder = Path::new("target/bench");
    std::fs::create_dir_all(folder).expect("target/bench can be made");
    write(folder, "core", &core());
    if std::env::args().any(|arg| arg == "--core") {
        return;
    }
    write(folder, "stack", &cluster::measure());
}

#[expect(clippy::print_stdout, reason = "the figures are the result")]
fn write(folder: &Path, name: &str, figures: &Value) {
    let text = serde_json::to_string_pretty(figures).expect("figures are JSON");
    println!("{name}: {text}");
    std::fs::write(folder.join(format!("{name}.json")), text + "\n").expect("figures can be written");
}

/// Rendering the full stack, and planning 10, 50 and 200 releases.
fn core() -> Value {
    let catalog = catalog();
    let config = parse("serving: {enabled: true}\nworkflows: {archive: true}\n", &catalog);
    let source = StackSource::Embedded;
    let none = BTreeMap::new();
    let render = median(30, || resolve(&config, &catalog, &source, &none).expect("the stack resolves"));
    let mut planning = serde_json::Map::new();
    for count in [10_usize, 50, 200] {
        let config = with_releases(&config, count);
        let empty = StackFile { releases: Vec::new(), secrets: Vec::new(), ..catalog.clone() };
        let charts = charts(&config, &empty);
        let state = ClusterState::default();
        let time = median(30, || {
            let stack = resolve(&config, &empty, &source, &none).expect("the stack resolves");
            build(&Inputs { stack: &stack, charts: &charts, state: &state, generations: &none }).expect("a plan")
        });
        planning.insert(count.to_string(), json!(time.as_secs_f64()));
    }
    json!({"render_seconds": render.as_secs_f64(), "planning_seconds": planning})
}

fn catalog() -> StackFile {
    let text = StackSource::Embedded.read("stack.yaml").expect("stack.yaml is embedded");
    config::parse_catalog_yaml(Path::new("stack.yaml"), &text).expect("stack.yaml is valid")
}

fn parse(text: &str, catalog: &StackFile) -> Config {
    let text = format!("apiVersion: mlopsctl.dev/v1alpha1\n{text}");
    config::parse(Path::new("mlops.yaml"), text, &catalog.profiles).expect("the config is valid").config
}

/// Returns the config with own releases, each of which needs the one before it.
fn with_releases(config: &Config, count: usize) -> Config {
    let release = |index: usize| -> ReleaseSpec {
        let needs = if index == 0 {
            json!([])
        } else {
            json!([{"release": format!("r{}", index - 1), "until": "ready", "because": "it is a chain"}])
        };
        let spec = json!({"name": format!("r{index}"), "chart": {"name": "minio"}, "needs": needs});
        serde_json::from_value(spec).expect("a release")
    };
    Config { releases: (0..count).map(release).collect(), ..config.clone() }
}

fn charts(config: &Config, catalog: &StackFile) -> BTreeMap<ChartRef, mlopsctl::chart::Chart> {
    let stack = resolve(config, catalog, &StackSource::Embedded, &BTreeMap::new()).expect("the stack resolves");
    let chart = mlopsctl::chart::Chart {
        path: "charts/minio".into(),
        digest: "0".repeat(64),
        version: "0.1.0".into(),
        files: BTreeMap::new().into(),
        lock: None,
    };
    stack.releases.into_iter().map(|release| (release.chart, chart.clone())).collect()
}

fn median<T>(times: usize, mut work: impl FnMut() -> T) -> Duration {
    let mut taken: Vec<Duration> = (0..times)
        .map(|_| {
            let started = Instant::now();
            std::hint::black_box(work());
            started.elapsed()
        })
        .collect();
    taken.sort();
    taken[taken.len() / 2]
}
