//! The one place that reads the environment.

use std::ffi::OsString;
use std::path::PathBuf;

/// The names of the environment variables that `mlopsctl` reads by itself.
///
/// Variables that belong to a flag (`MLOPSCTL_CONFIG` and others) are read by clap and stand in `--help`.
#[derive(Debug)]
pub(crate) struct EnvVars;

impl EnvVars {
    /// Set by CI systems; switches progress bars off.
    pub(crate) const CI: &'static str = "CI";
    /// By how much the heap of a Go program grows before it is collected; what the user has set is left to the tools.
    pub(crate) const GOGC: &'static str = "GOGC";
}

/// Returns the value of a variable, if it is set and not empty.
#[expect(clippy::disallowed_methods, reason = "this is the one place")]
pub(crate) fn get(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// Returns the folder for cached charts, `$XDG_CACHE_HOME/mlopsctl` or the platform's equivalent.
pub(crate) fn cache_dir() -> Option<PathBuf> {
    use etcetera::BaseStrategy as _;
    etcetera::choose_base_strategy().ok().map(|base| base.cache_dir().join("mlopsctl"))
}
