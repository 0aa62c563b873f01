//! What is said of a file that is not one YAML mapping.

use crate::harness::{HEAD, Project, snapshot};

fn problems(text: &str) -> String {
    Project::new().file("mlops.yaml", text).problems()
}

#[test]
fn a_missing_file_is_named_with_the_command_that_writes_one() {
    snapshot!(Project::new().run(["config", "validate"]), @r"
    exit code: 2
    ----- stdout -----

    ----- stderr -----
    error: there is no config file mlops.yaml
    hint: `mlopsctl init` writes one, `--config FILE` names another
    ");
}

#[test]
fn a_file_that_is_not_text_is_refused() {
    let project = Project::new();
    fs_err::write(project.path("mlops.yaml"), b"\xff\xfe\x00").unwrap();
    snapshot!(project.run(["config", "validate"]), @r"
    exit code: 2
    ----- stdout -----

    ----- stderr -----
    mlops.yaml:1:1: the file is not UTF-8 text
    ");
}

#[test]
fn an_empty_file_is_told_so() {
    snapshot!(problems(""), @r"
    mlops.yaml:1:1: the file is empty
    `mlopsctl init` writes a complete one
    ");
}

#[test]
fn a_file_of_comments_is_empty() {
    snapshot!(problems("# nothing yet\n\n# really\n"), @r"
    mlops.yaml:1:1: the file is empty
      |
    1 | # nothing yet
      | ^ `mlopsctl init` writes a complete one
    ");
}

#[test]
fn an_unclosed_bracket_has_a_place() {
    snapshot!(problems(&format!("{HEAD}namespaces: {{system: a, dev: b\nprofile: laptop\n")), @r"
    mlops.yaml:3:8: while parsing a flow mapping, did not find expected ',' or '}'
      |
    3 | profile: laptop
      |        ^
    ");
}

#[test]
fn a_tab_has_a_place() {
    snapshot!(problems(&format!("{HEAD}mlflow:\n\tenabled: true\n")), @r"
    mlops.yaml:3:2: tabs disallowed within this context (block indentation)
      |
    3 |     enabled: true
      |     ^
    ");
}

#[test]
fn an_unclosed_quote_has_a_place() {
    snapshot!(problems(&format!("{HEAD}domain: \"example.com\nprofile: laptop\n")), @r#"
    mlops.yaml:2:9: unclosed quote
      |
    2 | domain: "example.com
      |         ^
    "#);
}

#[test]
fn a_key_that_comes_twice_is_shown_the_second_time() {
    snapshot!(problems(&format!("{HEAD}profile: laptop\ndomain: ''\nprofile: ha\n")), @r"
    mlops.yaml:4:1: duplicate mapping key: profile
      |
    4 | profile: ha
      | ^^^^^^^
    ");
}

#[test]
fn a_nested_key_that_comes_twice_is_shown_the_second_time() {
    snapshot!(problems(&format!("{HEAD}values:\n  loki:\n    a: 1\n    a: 2\n")), @r"
    mlops.yaml:5:5: duplicate mapping key: a
      |
    5 |     a: 2
      |     ^
    ");
}

#[test]
fn a_second_document_is_refused() {
    snapshot!(problems(&format!("{HEAD}---\n{HEAD}")), @r"
    mlops.yaml:3:1: more than one YAML document
      |
    3 | apiVersion: mlopsctl.dev/v1alpha1
      | ^
    ");
}

#[test]
fn an_unknown_anchor_has_a_place() {
    snapshot!(problems(&format!("{HEAD}values: {{loki: *missing}}\n")), @r"
    mlops.yaml:2:16: alias references unknown anchor
      |
    2 | values: {loki: *missing}
      |                ^
    ");
}

#[test]
fn the_top_level_must_be_a_mapping() {
    snapshot!(problems("- apiVersion: mlopsctl.dev/v1alpha1\n"), @r"
    mlops.yaml:1:1: the file must be a mapping, not a list
      |
    1 | - apiVersion: mlopsctl.dev/v1alpha1
      | ^
    ");
    snapshot!(problems("mlops\n"), @r"
    mlops.yaml:1:1: the file must be a mapping, not a string
      |
    1 | mlops
      | ^^^^^
    ");
}

#[test]
fn columns_count_characters_not_bytes() {
    snapshot!(problems(&format!("{HEAD}namespaces: {{system: \"ö–€\", dve: x}}\n")), @r#"
    mlops.yaml:2:22: `namespaces.system` cannot be `ö–€`
      |
    2 | namespaces: {system: "ö–€", dve: x}
      |                      ^^^^^ must match ^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$

    mlops.yaml:2:29: unknown key `dve` in `namespaces`
      |
    2 | namespaces: {system: "ö–€", dve: x}
      |                             ^^^ did you mean `dev`?
    "#);
}

#[test]
fn windows_line_ends_do_not_move_the_caret() {
    snapshot!(problems("apiVersion: mlopsctl.dev/v1alpha1\r\nprofile: laptop\r\ndomian: a.b\r\n"), @r"
    mlops.yaml:3:1: unknown key `domian`
      |
    3 | domian: a.b
      | ^^^^^^ did you mean `domain`?
    ");
}

/// A file may be made by a template whose loop did not end; reading it must.
#[test]
fn an_alias_bomb_is_refused() {
    let level = |level: usize| format!("  a{level}: &a{level} [{}]\n", vec![format!("*a{}", level - 1); 9].join(", "));
    let levels: Vec<String> = (1..12).map(level).collect();
    let text = format!("{HEAD}values:\n  a0: &a0 [x, x, x]\n{}", levels.concat());
    let outcome = Project::new().file("mlops.yaml", &text).run(["config", "validate"]);
    assert_eq!(outcome.code, Some(2));
    assert!(outcome.stderr.starts_with("mlops.yaml:") && outcome.stderr.contains("the file unfolds"), "{outcome}");
}
