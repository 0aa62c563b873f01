//! `render`.

use crate::cli::RenderArgs;
use crate::error::CommandResult;
use crate::settings::Settings;

pub(super) async fn run(_settings: &Settings, _args: &RenderArgs) -> CommandResult {
    unimplemented!()
}
