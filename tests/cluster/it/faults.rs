//! The fault suite: makes each fault of `faults/*.yaml` and holds what `up` says against the code that it must give.

mod by;
mod data;
mod kubeconfig;
mod registry;
mod report;
mod run;

use std::sync::Mutex;
use std::thread;

use crate::cluster::variable;
use data::{Fault, Nodes};
use report::Row;

/// How many faults are made at the same time.
const THREADS: usize = 3;

#[test]
fn quick_faults_have_their_codes() {
    let faults: Vec<Fault> = data::read(Nodes::Simulated).into_iter().filter(|fault| fault.quick).collect();
    assert!(faults.len() >= 8, "{}", faults.len());
    report::assert_all_right(&make(faults));
}

#[test]
#[ignore = "takes minutes, see tests/faults"]
fn every_simulated_fault_has_its_code() {
    let rows = make(data::read(Nodes::Simulated));
    report::write(Nodes::Simulated, &rows);
    report::assert_good(&rows);
}

#[test]
#[ignore = "needs a cluster with a real node, see tests/faults"]
fn every_fault_of_pods_that_run_has_its_code() {
    let registry = registry::start();
    let mut faults = data::read(Nodes::Real);
    for fault in &mut faults {
        fault.fill(&registry);
    }
    let rows = make(faults);
    registry::stop();
    report::write(Nodes::Real, &rows);
    report::assert_good(&rows);
}

/// Makes faults, some at a time, and returns a row for each, in their order.
fn make(mut faults: Vec<Fault>) -> Vec<Row> {
    // For whoever works on one of them: MLOPSCTL_TEST_FAULTS='part of its name'.
    if let Some(part) = variable("MLOPSCTL_TEST_FAULTS") {
        faults.retain(|fault| fault.name.contains(&*part.to_string_lossy()));
    }
    let count = faults.len();
    let waiting = Mutex::new(faults.into_iter().enumerate().collect::<Vec<_>>().into_iter());
    let rows = Mutex::new(Vec::with_capacity(count));
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                loop {
                    let next = waiting.lock().unwrap().next();
                    let Some((index, fault)) = next else { break };
                    let row = run::make(index, &fault);
                    rows.lock().unwrap().push((index, row));
                }
            });
        }
    });
    let mut rows = rows.into_inner().unwrap();
    rows.sort_by_key(|(index, _)| *index);
    rows.into_iter().map(|(_, row)| row).collect()
}
