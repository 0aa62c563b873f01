//! `lock`.

use std::collections::BTreeMap;

use super::prepare::{catalog, chart_store, config, lock_path, runner, stack};
use crate::chart::{LOCK_FILE, Lock};
use crate::cli::LockArgs;
use crate::error::{CommandResult, ExitStatus};
use crate::printer::counted;
use crate::settings::Settings;

/// Records the digests of all charts of the stack.
pub(super) async fn run(settings: &Settings, args: &LockArgs) -> CommandResult {
    let catalog = catalog(settings)?;
    let loaded = config(settings, &catalog)?;
    let stack = stack(settings, &loaded, &catalog, &BTreeMap::new())?;
    let runner = runner(settings, loaded.config.cluster.context.as_deref())?;
    let charts =
        chart_store(settings).fetch(&runner, stack.releases.iter().map(|release| release.chart.clone())).await?;
    let path = lock_path(settings);
    let mut lock = Lock::read(&path)?;
    for entry in charts.values().filter_map(|chart| chart.lock.clone()) {
        if args.update {
            lock.renew(entry);
        } else {
            lock.check(&path, entry)?;
        }
    }
    lock.write(&path)?;
    settings.printer.say(&format!("{LOCK_FILE} holds {}", counted(lock.entries().len(), "chart")));
    Ok(ExitStatus::Success)
}
