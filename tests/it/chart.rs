//! What is in a chart: its files, its digest, its CRDs, the keys of its values.

use std::collections::BTreeMap;
use std::path::Path;

use mlopsctl::chart::{UnknownKey, content_digest, crds_of, read_chart, unknown_keys};

use crate::harness::package;

fn files<P: AsRef<str>>(list: &[(P, &str)]) -> BTreeMap<String, Vec<u8>> {
    list.iter().map(|(path, text)| (path.as_ref().to_owned(), text.as_bytes().to_vec())).collect()
}

fn found(list: &[(&str, &str)]) -> Vec<String> {
    let crds = crds_of(Path::new("chart"), &files(list)).unwrap();
    crds.iter().map(|crd| crd["metadata"]["name"].as_str().unwrap().to_owned()).collect()
}

const CRD: &str = "kind: CustomResourceDefinition\nmetadata: {name: @}\n";

#[test]
fn crds_are_found_in_the_chart_and_its_sub_charts() {
    let named = |name: &str| CRD.replace('@', name);
    let (a, b, c, no) = (named("a"), named("b"), named("c"), named("no"));
    let two = format!("{a}---\n{b}");
    assert_eq!(found(&[("crds/x.yaml", &two), ("charts/sub/crds/deep/y.yml", &c)]), ["c", "a", "b"]);
    assert_eq!(found(&[("charts/a/charts/b/crds/x.yaml", &a)]), ["a"]);
    assert_eq!(
        found(&[("templates/crds/x.yaml", &no), ("crds.yaml", &no), ("crds/README.md", "# x")]),
        Vec::<String>::new()
    );
    assert_eq!(found(&[("crds/x.yaml", "kind: ConfigMap\nmetadata: {name: x}\n")]), Vec::<String>::new());
}

#[test]
fn a_crd_that_is_not_yaml_is_named_with_its_file() {
    let error = crds_of(Path::new("/x/chart-1.tgz"), &files(&[("crds/broken.yaml", "a: [\n")])).unwrap_err();
    assert!(error.to_string().starts_with("chart /x/chart-1.tgz: crds/broken.yaml: "), "{error}");
}

/// Packs files the way `helm package` does: below a folder with the chart's name.
fn packed(files: &[(&str, &str)]) -> Vec<u8> {
    let mut archive = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
    for (path, text) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, format!("web/{path}"), text.as_bytes()).unwrap();
    }
    archive.into_inner().unwrap().finish().unwrap()
}

#[test]
fn an_archive_is_the_same_chart_as_its_folder() {
    let content = [("Chart.yaml", "name: web\nversion: 1.0.0\n"), ("crds/x.yaml", CRD), ("templates/a/b.yaml", "")];
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in content {
        let path = folder.path().join(path);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, text).unwrap();
    }
    let archive = folder.path().with_extension("tgz");
    fs_err::write(&archive, packed(&content)).unwrap();
    let (one, two) = (read_chart(folder.path()).unwrap(), read_chart(&archive).unwrap());
    fs_err::remove_file(archive).unwrap();
    assert_eq!(one, two);
    assert_eq!(content_digest(&one), content_digest(&two));
}

#[test]
fn the_digest_of_a_chart_depends_on_paths_and_contents() {
    let sets: &[&[(&str, &str)]] = &[
        &[("a", "b")],
        &[("a", "c")],
        &[("ab", "")],
        &[("", "ab")],
        &[("a", "b"), ("c", "")],
        &[("a", ""), ("b", "")],
        &[],
    ];
    let digests: std::collections::BTreeSet<String> = sets.iter().map(|set| content_digest(&files(set))).collect();
    assert_eq!(digests.len(), sets.len());
}

#[test]
fn a_packed_sub_chart_is_the_same_as_its_folder() {
    let inner = [("Chart.yaml", "name: web\n"), ("crds/x.yaml", &CRD.replace('@', "inner"))];
    for archive in ["web-1.0.0.tgz", "web-v1.0.0.tgz", "web-0.1.0-rc1.tgz", "web.tgz"] {
        let folder = tempfile::tempdir().unwrap();
        fs_err::create_dir(folder.path().join("charts")).unwrap();
        fs_err::write(folder.path().join("charts").join(archive), packed(&inner)).unwrap();
        let found = read_chart(folder.path()).unwrap();
        assert_eq!(found, files(&inner.map(|(path, text)| (format!("charts/web/{path}"), text))), "{archive}");
        assert_eq!(crds_of(folder.path(), &found).unwrap()[0]["metadata"]["name"], "inner");
    }
}

#[test]
fn something_that_is_no_archive_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("web-1.0.0.tgz");
    for content in [&b"not an archive"[..], b"", &packed(&[("Chart.yaml", "x")])[..20]] {
        fs_err::write(&path, content).unwrap();
        let error = read_chart(&path).unwrap_err().to_string();
        assert_eq!(error, format!("chart {} cannot be read", path.display()));
    }
    assert!(read_chart(&folder.path().join("none.tgz")).is_err());
}

/// The chart whose CRDs are many must have them where they are looked for.
#[test]
fn the_crds_of_the_prometheus_operator_are_found() {
    let path = package("tests/charts/kube-prometheus-stack");
    let crds = crds_of(&path, &read_chart(&path).unwrap()).unwrap();
    assert_eq!(crds.len(), 10);
}

/// Keys of `values`, with what may have been meant, that a chart with a sub-chart does not know.
fn unknown(values: &str) -> Vec<String> {
    let files = files(&[
        ("values.yaml", "replicas: 1\nresources: {}\nimage: {tag: x}\nlist: []\nsub: {port: 2}\n"),
        ("charts/sub/values.yaml", "port: 1\nname: x\nglobal: {}\n"),
    ]);
    let show = |it: UnknownKey| format!("{} → {}", it.path, it.suggestion.unwrap_or_default());
    unknown_keys(&files, &serde_saphyr::from_str(values).unwrap()).into_iter().map(show).collect()
}

#[test]
fn keys_that_a_chart_does_not_list_are_found() {
    assert_eq!(unknown("replicsa: 2\nzzz: 1\n"), ["replicsa → replicas", "zzz → "]);
    assert_eq!(unknown("image: {tga: y}\n"), ["image.tga → tag"]);
    assert_eq!(unknown("sub: {prot: 1}\n"), ["sub.prot → port"]);
}

#[test]
fn keys_that_a_chart_lists_or_leaves_open_are_fine() {
    let values = "replicas: 2\nresources: {limits: {cpu: 1}}\nimage: null\nlist: [{a: 1}]\nsub: {port: 3, name: y}\nglobal: {x: 1}\n";
    assert_eq!(unknown(values), Vec::<String>::new());
}
