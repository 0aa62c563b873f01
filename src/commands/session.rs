//! What commands share that work with an installed stack instead of changing it.

use std::collections::BTreeMap;

use super::prepare::{catalog, config, runner, stack};
use crate::config::LoadedConfig;
use crate::error::{CommandError, ExitStatus};
use crate::exec::Runner;
use crate::mlflow::Mlflow;
use crate::service::{Service, ServiceError};
use crate::settings::Settings;
use crate::stack::{Offer, Release, ServiceSpec, Stack, StackFile};

/// The file, the stack that follows from it, and the cluster.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) loaded: LoadedConfig,
    pub(super) catalog: StackFile,
    pub(super) stack: Stack,
    pub(super) runner: Runner,
}

impl Session {
    /// Reads the file and finds the tools. Asks nothing of the cluster.
    pub(super) fn open(settings: &Settings) -> Result<Self, CommandError> {
        let catalog = catalog(settings)?;
        let loaded = config(settings, &catalog)?;
        let stack = stack(settings, &loaded, &catalog, &BTreeMap::new())?;
        let runner = runner(settings, loaded.config.cluster.context.as_deref())?;
        Ok(Self { loaded, catalog, stack, runner })
    }

    /// Returns a service that a command cannot do without.
    pub(super) fn service<'a>(
        &'a self,
        spec: Option<&'a ServiceSpec>,
        what: &str,
    ) -> Result<(&'a Release, Service), CommandError> {
        match Offer::of(&self.stack, spec) {
            Offer::On { release, service } => Ok((release, service)),
            Offer::Off { release } => {
                let file = self.loaded.path.display();
                Err(CommandError::usage(format!("release `{release}` ({what}) is switched off in {file}"))
                    .hint("switch it on in the file, then: mlopsctl up"))
            }
            Offer::Unknown => Err(CommandError::usage(format!("this stack has no {what}"))),
        }
    }

    /// Returns a client of MLflow.
    pub(super) async fn mlflow(&self) -> Result<Mlflow, CommandError> {
        let (_, service) = self.service(self.catalog.services.tracking.as_ref(), "tracking and model registry")?;
        Ok(Mlflow::connect(&self.runner, &service).await?)
    }
}

impl From<ServiceError> for CommandError {
    fn from(error: ServiceError) -> Self {
        match error {
            // What is wrong with the cluster itself is told the same way everywhere.
            ServiceError::Unreachable { source, .. } if crate::cluster::classify(&source).is_some() => source.into(),
            error => Self::new(ExitStatus::Failure, error).hint("mlopsctl status"),
        }
    }
}
