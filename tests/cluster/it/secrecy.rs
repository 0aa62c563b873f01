//! No content of a Secret is anywhere but in Secrets.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::cluster::{helm, kubectl};
use crate::stack::Stack;

/// Keys whose value is a name that everybody knows.
const NAMES: [&str; 3] = ["username", "rootUser", "admin-user"];

/// Takes what is in the Secrets of a running stack and looks for it wherever `mlopsctl` and helm write.
pub(crate) fn assert_no_secret_leaks(stack: &Stack) {
    let secrets = contents(stack);
    assert!(secrets.len() >= 10, "{} values are too few", secrets.len());
    assert!(places(stack).iter().all(|(_, text)| !text.is_empty()));

    stack.take_calls("helm");
    stack.take_calls("kubectl");
    for args in
        [&["plan"][..], &["status"], &["preflight"], &["config", "show"], &["render", "--output-dir", "rendered"]]
    {
        stack.run(&[args, &["--output", "json"]].concat()).code(0);
        stack.run(args).code(0);
    }
    stack.configure("mlflow: {workers: 2}\n");
    stack.run(&["plan", "--output", "json"]).code(0);
    stack.run(&["plan"]).code(0);
    stack.configure("");
    stack.take_calls("helm");
    stack.take_calls("kubectl");

    let mut texts = places(stack);
    texts.push(("arguments, standard output or standard error".into(), stack.transcript()));
    collect(&stack.work(), &mut texts);
    collect(&stack.cache(), &mut texts);
    for (place, text) in &texts {
        for (name, value) in &secrets {
            assert!(!text.contains(value.as_str()), "{name} is in {place}");
        }
    }
}

/// Returns every value as it is and in base64.
pub(crate) fn contents(stack: &Stack) -> BTreeSet<(String, String)> {
    use base64::Engine as _;
    let mut values = BTreeSet::new();
    for ((namespace, secret), data) in stack.secrets() {
        for (key, value) in data.as_object().unwrap().iter().filter(|(key, _)| !NAMES.contains(&key.as_str())) {
            let encoded = value.as_str().unwrap();
            let plain = base64::engine::general_purpose::STANDARD.decode(encoded).unwrap();
            let name = format!("{namespace}/{secret} {key}");
            values.insert((name.clone(), encoded.to_owned()));
            values.insert((name, String::from_utf8(plain).unwrap()));
        }
    }
    values
}

/// Returns what is kept in the cluster: all that helm knows of each release, and every object but Secrets.
fn places(stack: &Stack) -> Vec<(String, String)> {
    let mut texts = Vec::new();
    for release in stack.helm_list().keys() {
        texts.push((
            format!("helm's record of {release}"),
            helm(["get", "all", release, "--namespace", &stack.system()]),
        ));
    }
    for namespace in stack.namespaces() {
        let kinds = "configmaps,deployments,statefulsets,daemonsets,jobs,pods,leases,events,services,serviceaccounts";
        texts.push((
            format!("an object in {namespace}"),
            kubectl(["get", kinds, "--namespace", &namespace, "-o", "json"]),
        ));
        let annotations = "jsonpath={.items[*].metadata}";
        texts.push((
            format!("a Secret's metadata in {namespace}"),
            kubectl(["get", "secrets,configmaps", "--namespace", &namespace, "-o", annotations]),
        ));
    }
    texts
}

fn collect(folder: &Path, texts: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, texts);
        } else {
            texts.push((path.display().to_string(), String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned()));
        }
    }
}
