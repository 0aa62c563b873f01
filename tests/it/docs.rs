//! The pages under `docs/` and the data of the fault suite say what the program says.

use std::collections::BTreeSet;

use mlopsctl::apply::causes;
use serde_json::Value;

use crate::harness::package;

fn read(path: &str) -> String {
    fs_err::read_to_string(package(path)).unwrap()
}

fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Returns the name and the code of every fault.
fn faults() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for file in ["simulated", "real"] {
        let faults: Vec<Value> =
            serde_saphyr::from_str(&read(&format!("tests/cluster/it/faults/{file}.yaml"))).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        found.extend(faults.iter().map(|fault| (text(&fault["fault"]), text(&fault["code"]))));
    }
    found
}

#[test]
fn each_cause_has_a_page_that_says_what_the_program_says() {
    let index = read("docs/causes/README.md");
    for kind in causes() {
        let page = read(&kind.docs());
        assert!(page.starts_with(&format!("# {}: {}\n", kind.code, kind.title)), "{page}");
        assert!(words(&page).contains(&words(kind.meaning)), "{}: {page}", kind.code);
        assert!(index.contains(&format!("| [{0}]({0}.md) | {1} |", kind.code, kind.title)), "{}", kind.code);
        assert_eq!(
            page.contains("cannot heal by itself: the step ends after"),
            kind.permanent && is_of_releases(kind.code)
        );
    }
    let pages = fs_err::read_dir(package("docs/causes")).unwrap().count();
    assert_eq!(pages, causes().count() + 1, "a page without a cause");
}

fn is_of_releases(code: &str) -> bool {
    !code.starts_with("MLC2") && !["MLC001", "MLC004", "MLC005"].contains(&code)
}

/// Causes that no fault of the suite gives: outcomes that other tests hold, and what needs more than one machine.
const WITHOUT_FAULT: &[&str] = &["MLC001", "MLC002", "MLC004", "MLC005", "MLC006", "MLC134", "MLC135"];

#[test]
fn each_fault_gives_a_cause_and_each_cause_has_a_fault() {
    let faults = faults();
    let known: BTreeSet<&str> = causes().map(|kind| kind.code).collect();
    let given: BTreeSet<&str> = faults.iter().map(|(_, code)| code.as_str()).collect();
    let expected: BTreeSet<&str> = known.iter().copied().filter(|code| !WITHOUT_FAULT.contains(code)).collect();
    assert_eq!(given, expected);
    let names: BTreeSet<&str> = faults.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names.len(), faults.len(), "two faults of one name");
    for (name, code) in &faults {
        assert!(words(&read(&format!("docs/causes/{code}.md"))).contains(&words(name)), "{code}: {name}");
    }
}

#[test]
fn each_complaint_names_a_test_that_exists() {
    let page = read("docs/complaints.md");
    let faults: BTreeSet<String> = faults().into_iter().map(|(name, _)| name).collect();
    let mut held = 0;
    for name in page.lines().filter(|line| line.starts_with("| ")).flat_map(|line| line.split('`').skip(1).step_by(2)) {
        if let Some(fault) = name.strip_prefix("fault: ") {
            assert!(faults.contains(fault), "{name}");
        } else if let Some((file, test)) = name.split_once("::") {
            assert!(read(file).contains(&format!("fn {test}(")), "{name}");
        } else {
            continue;
        }
        held += 1;
    }
    assert!(held > 40, "{held}");
}
