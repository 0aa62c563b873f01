//! `config schema`, `config show` and `config validate`.

use std::collections::BTreeMap;

use super::prepare::{catalog, config, stack};
use crate::config::json_schema;
use crate::error::{CommandError, CommandResult, ExitStatus};
use crate::printer::{OutputFormat, counted};
use crate::settings::Settings;

/// Writes the JSON schema.
pub(super) fn schema(settings: &Settings) -> ExitStatus {
    settings.printer.json(&json_schema());
    ExitStatus::Success
}

/// Writes the config with profile and defaults filled in.
pub(super) fn show(settings: &Settings) -> CommandResult {
    let loaded = config(settings, &catalog(settings)?)?;
    if settings.printer.format() == OutputFormat::Text {
        let text =
            serde_saphyr::to_string(&loaded.config).map_err(|error| CommandError::new(ExitStatus::Bug, error))?;
        settings.printer.data(&text);
    } else {
        settings.printer.json(&loaded.config);
    }
    Ok(ExitStatus::Success)
}

/// Checks the file, its releases and every values template.
pub(super) fn validate(settings: &Settings) -> CommandResult {
    let catalog = catalog(settings)?;
    let loaded = config(settings, &catalog)?;
    let stack = stack(settings, &loaded, &catalog, &BTreeMap::new())?;
    if settings.printer.format() == OutputFormat::Text {
        settings.printer.say(&format!(
            "{} is valid: {}",
            settings.config.display(),
            counted(stack.releases.len(), "release")
        ));
    } else {
        let releases: Vec<&str> = stack.releases.iter().map(|release| release.name.as_str()).collect();
        settings.printer.json(&serde_json::json!({"valid": true, "releases": releases}));
    }
    Ok(ExitStatus::Success)
}
