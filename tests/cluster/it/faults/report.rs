//! What the suite found: a table for people, JSON for the record.

use std::fs;
use std::path::Path;

use serde::Serialize;
use serde_json::{Value, json};

use super::data::Nodes;
use crate::cluster::PROJECT;

/// The wanted share of right codes.
const RIGHT: f64 = 0.95;
/// The wanted seconds from the cluster's first sign to the first word about the cause.
const MEDIAN: f64 = 5.0;
/// The wanted seconds from the cluster's first sign to the end of the step, beyond the grace.
const LONGEST: f64 = 15.0;

/// What became of one fault.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Row {
    pub(super) fault: String,
    pub(super) nodes: Option<Nodes>,
    pub(super) expected: String,
    /// None: nothing was said.
    pub(super) given: Option<String>,
    pub(super) evidence: String,
    /// The code is the expected one, its evidence has the words, and the exit code is right.
    pub(super) right: bool,
    /// Seconds from the first sign to the first word about the cause.
    pub(super) shown: Option<f64>,
    /// Seconds from the first sign to the end of the step, without the grace or limit that it was given.
    pub(super) reported: Option<f64>,
    pub(super) exit: i32,
    /// All that was written, where it is not right.
    pub(super) transcript: String,
}

/// Asserts that each fault has its code.
pub(super) fn assert_all_right(rows: &[Row]) {
    show(rows);
    let wrong: Vec<&Row> = rows.iter().filter(|row| !row.right).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Asserts the figures that are wanted of the whole suite.
pub(super) fn assert_good(rows: &[Row]) {
    show(rows);
    let summary = summary(rows);
    let figure = |name: &str| summary[name].as_f64().unwrap_or(f64::MAX);
    let good = figure("right") >= RIGHT
        && figure("medianShownSeconds") <= MEDIAN
        && figure("longestReportedSeconds") <= LONGEST;
    let wrong: Vec<&Row> = rows.iter().filter(|row| !row.right).collect();
    assert!(good, "{summary:#}\n{wrong:#?}");
}

/// Writes the table for people.
#[expect(clippy::print_stderr, reason = "the table is what the suite is run for")]
fn show(rows: &[Row]) {
    let seconds = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.1}"));
    eprintln!("{:<8} {:<8} {:>6} {:>8}  FAULT", "CODE", "GIVEN", "SHOWN", "REPORTED");
    for row in rows {
        let (given, mark) = (row.given.as_deref().unwrap_or("-"), if row.right { "" } else { "  WRONG" });
        let (shown, reported) = (seconds(row.shown), seconds(row.reported));
        eprintln!("{:<8} {given:<8} {shown:>6} {reported:>8}  {}{mark}", row.expected, row.fault);
    }
    eprintln!("{:#}", summary(rows));
}

fn summary(rows: &[Row]) -> Value {
    let sorted = |of: fn(&Row) -> Option<f64>| {
        let mut values: Vec<f64> = rows.iter().filter_map(of).collect();
        values.sort_by(f64::total_cmp);
        values
    };
    let (shown, reported) = (sorted(|row| row.shown), sorted(|row| row.reported));
    let names =
        |wanted: fn(&&Row) -> bool| -> Vec<&str> { rows.iter().filter(wanted).map(|row| row.fault.as_str()).collect() };
    let right = u32::try_from(rows.iter().filter(|row| row.right).count()).unwrap();
    let all = u32::try_from(rows.len()).unwrap();
    json!({
        "faults": all,
        "right": f64::from(right) / f64::from(all.max(1)),
        "medianShownSeconds": shown.get(shown.len() / 2),
        "longestShownSeconds": shown.last(),
        "longestReportedSeconds": reported.last(),
        "misclassified": names(|row| !row.right && row.given.is_some()),
        "silent": names(|row| row.given.is_none()),
    })
}

/// Writes `target/bench/faults.json`; the part of the other kind of nodes stays.
pub(super) fn write(nodes: Nodes, rows: &[Row]) {
    let path = Path::new(PROJECT).join("target/bench/faults.json");
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let known = fs::read_to_string(&path).ok().and_then(|text| serde_json::from_str(&text).ok());
    let mut report: Value = known.unwrap_or_else(|| json!({}));
    let part = if nodes == Nodes::Real { "real" } else { "simulated" };
    let cpus = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    report[part] = json!({"cpus": cpus, "atATime": super::THREADS, "summary": summary(rows), "rows": rows});
    fs::write(path, format!("{report:#}\n")).unwrap();
}
