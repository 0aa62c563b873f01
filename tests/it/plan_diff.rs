//! Two manifests side by side.

use mlopsctl::plan::{Change, ObjectDiff, mask, steadied};
use serde_json::{Value, json};

use crate::harness::snapshot;

fn map(name: &str, data: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data})
}

fn secret(data: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": data, "stringData": {"t": "Canary4711"}})
}

/// Compares with a rendering that was made twice.
fn diff_objects(old: &[Value], new: &[Value], again: &[Value]) -> Vec<ObjectDiff> {
    mlopsctl::plan::diff_objects(old, &steadied(old, new, again))
}

fn changes(diffs: &[ObjectDiff]) -> Vec<(String, Change)> {
    diffs.iter().map(|diff| (diff.object.to_string(), diff.change)).collect()
}

#[test]
fn objects_are_created_updated_deleted_or_left_alone() {
    let old = [map("same", json!({"a": "1"})), map("changed", json!({"a": "1"})), map("gone", json!({}))];
    let new = [map("new", json!({})), map("changed", json!({"a": "2"})), map("same", json!({"a": "1"}))];
    let expected = [("changed", Change::Update), ("new", Change::Create), ("gone", Change::Delete)];
    let expected = expected.map(|(name, change)| (format!("ConfigMap/{name}"), change));
    assert_eq!(changes(&diff_objects(&old, &new, &new)), expected);
}

#[test]
fn the_same_name_in_another_namespace_or_kind_is_another_object() {
    let mut elsewhere = map("x", json!({}));
    elsewhere["metadata"]["namespace"] = "dev".into();
    let diffs = diff_objects(&[map("x", json!({}))], &[elsewhere], &[]);
    let found: Vec<Change> = diffs.iter().map(|diff| diff.change).collect();
    assert_eq!(found, [Change::Create, Change::Delete]);
}

#[test]
fn the_order_of_keys_and_objects_is_no_change() {
    let old = [map("a", json!({"x": "1", "y": "2"})), map("b", json!({}))];
    let new = [map("b", json!({})), map("a", json!({"y": "2", "x": "1"}))];
    assert!(diff_objects(&old, &new, &new).is_empty());
}

#[test]
fn the_text_is_a_unified_diff_of_yaml() {
    let old = [map("a", json!({"one": "1", "two": "2", "three": "3"}))];
    let new = [map("a", json!({"one": "1", "two": "zwei", "three": "3"}))];
    snapshot!(diff_objects(&old, &new, &new)[0].text, @r#"
    @@ -5,4 +5,4 @@
     data:
       one: "1"
    -  two: "2"
    +  two: zwei
       three: "3"
    "#);
}

#[test]
fn what_a_chart_draws_at_random_is_no_change() {
    let old = [map("a", json!({"token": "r1", "kept": "x"}))];
    let new = [map("a", json!({"token": "r2", "kept": "x"}))];
    let again = [map("a", json!({"token": "r3", "kept": "x"}))];
    assert!(diff_objects(&old, &new, &again).is_empty());
}

#[test]
fn a_change_beside_what_is_random_shows_alone() {
    let list = |token: &str, kept: &str| [map("a", json!({"list": [{"token": token}, {"kept": kept}], "kept": kept}))];
    let diffs = diff_objects(&list("r1", "old"), &list("r2", "new"), &list("r3", "new"));
    assert_eq!(diffs.len(), 1);
    let text = &diffs[0].text;
    assert!(text.contains("-  kept: old") && text.contains("+  kept: new"), "{text}");
    assert!(
        !["r1", "r2", "r3"]
            .iter()
            .any(|token| text.lines().any(|line| line.starts_with(['+', '-']) && line.contains(token))),
        "{text}"
    );
}

#[test]
fn a_key_that_is_new_shows_even_beside_what_is_random() {
    let old = [map("a", json!({"token": "r1"}))];
    let new = [map("a", json!({"token": "r2", "added": "1"}))];
    let again = [map("a", json!({"token": "r3", "added": "1"}))];
    let diffs = diff_objects(&old, &new, &again);
    assert!(diffs[0].text.contains("+  added: \"1\"") && !diffs[0].text.contains("r2"), "{}", diffs[0].text);
}

#[test]
fn the_content_of_a_secret_is_hidden_in_every_kind_of_change() {
    let (one, two) = (secret(json!({"k": "Canary4711"})), secret(json!({"k": "Canary4712", "l": "Canary"})));
    for (old, new) in [(vec![], vec![one.clone()]), (vec![one.clone()], vec![two.clone()]), (vec![one], vec![])] {
        for diff in diff_objects(&old, &new, &new) {
            assert!(!diff.text.contains("Canary"), "{}", diff.text);
        }
    }
    let grown = diff_objects(&[secret(json!({"k": "Canary"}))], &[two], &[]);
    assert!(grown[0].text.contains("+  l: (hidden)"), "that there is a new key is no secret: {}", grown[0].text);
}

/// A Secret that has another content is an update, even though both texts look alike.
#[test]
fn a_change_inside_a_secret_is_a_change() {
    let diffs = diff_objects(&[secret(json!({"k": "a"}))], &[secret(json!({"k": "b"}))], &[secret(json!({"k": "b"}))]);
    assert_eq!(changes(&diffs), [("Secret/s".to_owned(), Change::Update)]);
}

#[test]
fn masking_keeps_names_and_other_kinds() {
    let masked = mask(&secret(json!({"k": "Canary"})));
    assert_eq!(masked["data"], json!({"k": "(hidden)"}));
    assert_eq!(masked["stringData"], json!({"t": "(hidden)"}));
    assert_eq!(masked["metadata"]["name"], "s");
    let config = map("x", json!({"k": "shown"}));
    assert_eq!(mask(&config), config);
}
