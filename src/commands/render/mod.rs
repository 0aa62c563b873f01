//! `render`: the way without mlopsctl. Plain values, the Secrets' forms and a script of helm commands.

mod script;
mod secrets;

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use super::prepare::{catalog, config, stack};
use crate::cli::RenderArgs;
use crate::error::{CommandError, CommandResult, ExitStatus};
use crate::settings::Settings;
use crate::stack::{ChartRef, Stack};

/// Stands for the generation ids, which only mlopsctl keeps.
const GENERATION: &str = "by-hand";

/// Writes the folder.
pub(super) fn run(settings: &Settings, args: &RenderArgs) -> CommandResult {
    let catalog = catalog(settings)?;
    let loaded = config(settings, &catalog)?;
    let generations: BTreeMap<String, String> =
        catalog.secrets.iter().map(|secret| (secret.name.clone(), GENERATION.to_owned())).collect();
    let stack = stack(settings, &loaded, &catalog, &generations)?;
    let folder = &args.output_dir;
    let values_files = write_values(folder, &stack)?;
    write(&folder.join("namespaces.yaml"), &yaml_stream(&namespaces(&stack))?)?;
    write(&folder.join("secrets.yaml"), &format!("{}{}", secrets::FORM_HEADER, yaml_stream(&secrets::forms(&stack))?))?;
    for release in &stack.releases {
        if let ChartRef::Stack { name } = &release.chart {
            for (file, content) in settings.stack.chart_files(name)? {
                write_bytes(&folder.join("charts").join(name).join(file), &content)?;
            }
        }
    }
    let script = script::script(&stack, &values_files).map_err(|error| CommandError::new(ExitStatus::Usage, error))?;
    let path = folder.join("install.sh");
    write(&path, &script)?;
    make_executable(&path)?;
    settings.printer.say(&format!(
        "wrote {}; `{}` installs it with helm and kubectl alone",
        folder.display(),
        path.display()
    ));
    Ok(ExitStatus::Success)
}

/// Writes `helm-values/<chart>.yaml` for each release; a second release of one chart gets its own name behind it.
fn write_values(folder: &Path, stack: &Stack) -> Result<BTreeMap<String, String>, CommandError> {
    let mut files: BTreeMap<String, String> = BTreeMap::new();
    for release in &stack.releases {
        let chart = match &release.chart {
            ChartRef::Stack { name } | ChartRef::Upstream { name, .. } => name.clone(),
            ChartRef::Path { .. } => release.name.clone(),
        };
        let plain = format!("helm-values/{chart}.yaml");
        let file = if files.values().any(|known| *known == plain) {
            format!("helm-values/{chart}-{}.yaml", release.name)
        } else {
            plain
        };
        let mut values = release.values.clone();
        if let Some(render) = release.crds.as_ref().and_then(|crds| crds.render.clone()) {
            // Without a CRD stage the chart brings its own.
            crate::render::merge(&mut values, Value::Object(render));
        }
        write(&folder.join(&file), &yaml(&values)?)?;
        files.insert(release.name.clone(), file);
    }
    Ok(files)
}

fn namespaces(stack: &Stack) -> Vec<Value> {
    let object = |name: &str, level: &str| {
        json!({
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": name, "labels": {
                "app.kubernetes.io/part-of": "mlops",
                "pod-security.kubernetes.io/enforce": level,
                "pod-security.kubernetes.io/warn": level,
            }},
        })
    };
    stack.namespaces.iter().map(|namespace| object(&namespace.name, namespace.pod_security)).collect()
}

fn yaml(value: &Value) -> Result<String, CommandError> {
    serde_saphyr::to_string(value).map_err(|error| CommandError::new(ExitStatus::Bug, error))
}

fn yaml_stream(objects: &[Value]) -> Result<String, CommandError> {
    let documents: Result<Vec<String>, CommandError> = objects.iter().map(yaml).collect();
    Ok(documents?.join("---\n"))
}

fn write(path: &Path, text: &str) -> Result<(), CommandError> {
    write_bytes(path, text.as_bytes())
}

fn write_bytes(path: &Path, bytes: &[u8]) -> Result<(), CommandError> {
    let failed = |error| CommandError::new(ExitStatus::Failure, error);
    fs_err::create_dir_all(path.parent().unwrap_or(path)).map_err(failed)?;
    fs_err::write(path, bytes).map_err(failed)
}

fn make_executable(path: &Path) -> Result<(), CommandError> {
    use std::os::unix::fs::PermissionsExt as _;
    fs_err::set_permissions(path, std::fs::Permissions::from_mode(0o755))
        .map_err(|error| CommandError::new(ExitStatus::Failure, error))
}
