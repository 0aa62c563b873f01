//! The inventory for people.

use std::collections::BTreeMap;

use indicatif::HumanBytes;

use super::inventory::Found;
use crate::exec::{Invocation, Runner, Tool};
use crate::printer::{Printer, Tone, counted};
use crate::report::{Contents, CustomResource, Fate, Inventory, Registry, table};

/// How many names of one kind are written out.
const NAMES: usize = 3;

/// Says on which cluster.
pub(super) async fn show_cluster(printer: Printer, runner: &Runner) {
    let view = Invocation::new(
        Tool::Kubectl,
        ["config", "view", "--minify", "-o", "jsonpath={.current-context} {.clusters[0].cluster.server}"],
    );
    if let Ok(output) = runner.run(view).await {
        printer.say(&format!("cluster: {}", output.stdout.trim()));
    }
}

/// Shows what goes and what stays.
pub(super) fn show_inventory(printer: Printer, found: &Found, inventory: &Inventory) {
    let rows = rows(found, inventory);
    if rows.is_empty() {
        printer.say("nothing of this stack is installed");
        return;
    }
    printer.say(table(&["", "WHAT", "NAMESPACE"], &rows).trim_end());
    for warning in held(&inventory.custom_resources) {
        printer.say(&format!("{} {warning}", printer.paint(Tone::Warn, "warning:")));
    }
}

fn rows(found: &Found, inventory: &Inventory) -> Vec<Vec<String>> {
    let row = |fate: &str, what: String, namespace: &str| {
        let namespace = if namespace.is_empty() { "-" } else { namespace };
        vec![fate.to_owned(), what, namespace.to_owned()]
    };
    let mut rows: Vec<Vec<String>> = Vec::new();
    rows.extend(found.removals.iter().map(|it| row("uninstall", format!("release {}", it.name), &it.namespace)));
    rows.extend(
        inventory
            .volumes
            .iter()
            .map(|it| row(it.fate.name(), format!("volume {} ({}, {})", it.name, it.title, it.size), &it.namespace)),
    );
    for contents in &inventory.contents {
        rows.extend(items(contents).into_iter().map(|text| row(contents.fate.name(), text, &contents.namespace)));
    }
    rows.extend(inventory.models.iter().map(|it| row(it.fate.name(), registry(it), "")));
    rows.extend(inventory.secrets.iter().map(|it| row(it.fate.name(), format!("Secret {}", it.name), &it.namespace)));
    for fate in [Fate::Delete, Fate::Keep] {
        let count = inventory.crds.iter().filter(|crd| crd.fate == fate).count();
        if count > 0 {
            rows.push(row(fate.name(), counted(count, "CustomResourceDefinition"), ""));
        }
    }
    for ((crd, namespace), objects) in groups(&inventory.custom_resources) {
        let text = format!("{crd} of others: {}", names(&objects));
        rows.push(row(Fate::Keep.name(), text, namespace));
    }
    rows
}

fn items(contents: &Contents) -> Vec<String> {
    let Contents { release, title, what, items, problem, .. } = contents;
    if let Some(problem) = problem {
        return vec![format!("{what}s of {release}, which {problem}")];
    }
    if items.is_empty() {
        return vec![format!("no {what} of {release}")];
    }
    let item = |item: &crate::report::Item| {
        let size = item.bytes.map_or_else(|| "size unknown".to_owned(), |bytes| HumanBytes(bytes).to_string());
        format!("{what} {} ({title}, {size})", item.name)
    };
    items.iter().map(item).collect()
}

fn registry(registry: &Registry) -> String {
    match (registry.models, registry.versions, &registry.problem) {
        (Some(models), Some(versions), _) => {
            format!("{} with {}", counted(models, "registered model"), counted(versions, "version"))
        }
        (_, _, problem) => {
            format!("models of {}, which {}", registry.release, problem.as_deref().unwrap_or("could not be asked"))
        }
    }
}

type Groups<'a> = BTreeMap<(&'a str, &'a str), Vec<&'a CustomResource>>;

/// Returns objects by kind and namespace.
fn groups(objects: &[CustomResource]) -> Groups<'_> {
    let mut groups = Groups::new();
    for object in objects {
        groups.entry((&object.crd, &object.namespace)).or_default().push(object);
    }
    groups
}

fn names(objects: &[&CustomResource]) -> String {
    let shown: Vec<&str> = objects.iter().take(NAMES).map(|it| it.name.as_str()).collect();
    let more = objects.len().saturating_sub(NAMES);
    if more == 0 { shown.join(", ") } else { format!("{} and {more} more", shown.join(", ")) }
}

/// Returns a sentence for each group of objects that nobody will let go of.
fn held(objects: &[CustomResource]) -> Vec<String> {
    let held: Vec<CustomResource> = objects.iter().filter(|it| !it.finalizers.is_empty()).cloned().collect();
    let sentence = |((crd, namespace), objects): ((&str, &str), Vec<&CustomResource>)| {
        let finalizers: std::collections::BTreeSet<&str> =
            objects.iter().flat_map(|it| &it.finalizers).map(String::as_str).collect();
        let finalizers = finalizers.into_iter().collect::<Vec<_>>().join(", ");
        let place = if namespace.is_empty() { String::new() } else { format!(" -n {namespace}") };
        let all: Vec<&str> = objects.iter().map(|it| it.name.as_str()).collect();
        format!(
            "{crd} {} cannot be deleted once the operator is gone, held by finalizer {finalizers}; if nobody needs it: kubectl delete {crd}{place} {}",
            names(&objects),
            all.join(" "),
        )
    };
    groups(&held).into_iter().map(sentence).collect()
}

#[cfg(test)]
mod tests {
    use super::{held, items, registry, rows};
    use crate::commands::down::inventory::Found;
    use crate::report::{Contents, CustomResource, Fate, Inventory, Item, Registry};

    fn contents(items: Vec<Item>, problem: Option<&str>) -> Contents {
        Contents {
            release: "pg".into(),
            title: "PostgreSQL".into(),
            namespace: "sys".into(),
            what: "database".into(),
            items,
            problem: problem.map(str::to_owned),
            fate: Fate::Keep,
        }
    }

    #[test]
    fn items_are_named_with_their_size_or_with_why_they_are_not() {
        let item = |name: &str, bytes| Item { name: name.into(), bytes };
        let known = contents(vec![item("mlflow", Some(8_036_003)), item("argo", None)], None);
        assert_eq!(
            items(&known),
            ["database mlflow (PostgreSQL, 7.66 MiB)", "database argo (PostgreSQL, size unknown)"]
        );
        let late = contents(Vec::new(), Some("did not answer within 5s"));
        assert_eq!(items(&late), ["databases of pg, which did not answer within 5s"]);
        assert_eq!(items(&contents(Vec::new(), None)), ["no database of pg"]);
        let models = |models, versions, problem: Option<&str>| {
            let (release, problem) = ("mlflow".to_owned(), problem.map(str::to_owned));
            registry(&Registry { release, models, versions, problem, fate: Fate::Keep })
        };
        assert_eq!(models(Some(1), Some(2), None), "1 registered model with 2 versions");
        assert_eq!(models(None, None, Some("could not be asked")), "models of mlflow, which could not be asked");
    }

    #[test]
    fn objects_of_others_are_named_as_staying_and_held_ones_warned_of() {
        let object = |namespace: &str, name: &str, finalizers: &[&str]| CustomResource {
            crd: "workflows.argoproj.io".into(),
            namespace: namespace.into(),
            name: name.into(),
            finalizers: finalizers.iter().map(|it| (*it).to_owned()).collect(),
        };
        let custom_resources = vec![
            object("dev", "a", &[]),
            object("dev", "b", &["argoproj.io/x"]),
            object("dev", "c", &[]),
            object("dev", "d", &["argoproj.io/x"]),
            object("shop", "e", &[]),
        ];
        let warnings = held(&custom_resources);
        assert_eq!(warnings.len(), 1);
        assert!(warnings[0].starts_with("workflows.argoproj.io b, d cannot be deleted"), "{}", warnings[0]);
        assert!(warnings[0].ends_with("kubectl delete workflows.argoproj.io -n dev b d"), "{}", warnings[0]);
        let inventory = Inventory { custom_resources, ..Inventory::default() };
        let expected = [
            ["keep", "workflows.argoproj.io of others: a, b, c and 1 more", "dev"],
            ["keep", "workflows.argoproj.io of others: e", "shop"],
        ];
        assert_eq!(rows(&Found::default(), &inventory), expected);
    }
}
