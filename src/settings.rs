//! Flags and environment, resolved once.

use std::path::PathBuf;

use crate::cli::GlobalArgs;
use crate::error::CommandError;
use crate::printer::Printer;
use crate::stack::StackSource;

/// What holds for every command.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// The config file.
    pub(crate) config: PathBuf,
    /// The kube-context of the flag; it goes before the file's.
    pub(crate) context: Option<String>,
    /// The kubeconfig file of the flag.
    pub(crate) kubeconfig: Option<PathBuf>,
    /// The helm executable of the flag.
    pub(crate) helm: Option<PathBuf>,
    /// The kubectl executable of the flag.
    pub(crate) kubectl: Option<PathBuf>,
    /// The folder that all charts come from.
    pub(crate) charts: Option<PathBuf>,
    /// The stack's files.
    pub(crate) stack: StackSource,
    /// The chart cache.
    pub(crate) cache: PathBuf,
    /// Where text goes.
    pub(crate) printer: Printer,
}

impl Settings {
    pub(crate) fn resolve(args: GlobalArgs, printer: Printer) -> Result<Self, CommandError> {
        let cache = args.cache_dir.or_else(crate::env::cache_dir);
        let cache = cache.ok_or_else(|| {
            CommandError::usage("no home folder for the chart cache").hint("name one with --cache-dir")
        })?;
        // helm and kubectl run in the same folder, but the cache may be handed to helm as a chart's path.
        let cache = std::path::absolute(cache).map_err(|error| CommandError::usage(error.to_string()))?;
        if let Some(kubeconfig) = args.kubeconfig.as_ref().filter(|path| !path.is_file()) {
            let error = anyhow::anyhow!("there is no kubeconfig {}", kubeconfig.display());
            let error = CommandError::new(crate::ExitStatus::Preflight, error);
            return Err(error.hint("name another, or leave --kubeconfig out for KUBECONFIG and ~/.kube/config"));
        }
        if let Some(charts) = args.charts.as_ref().filter(|path| !path.is_dir()) {
            return Err(CommandError::usage(format!("--charts: {} is not a folder", charts.display())));
        }
        let stack = match &args.stack {
            Some(folder) => StackSource::folder(folder)?,
            None => StackSource::Embedded,
        };
        Ok(Self {
            config: args.config,
            context: args.context,
            kubeconfig: args.kubeconfig,
            helm: args.helm,
            kubectl: args.kubectl,
            charts: args.charts,
            stack,
            cache,
            printer,
        })
    }
}
