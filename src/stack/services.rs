//! Where the services are that `mlopsctl` itself asks.

use super::catalog::ServiceSpec;
use super::resolve::{Release, Stack};
use crate::service::Service;

/// What a stack offers of one kind of service.
#[derive(Debug, Clone)]
pub(crate) enum Offer<'a> {
    /// The release is part of the stack.
    On {
        /// The release.
        release: &'a Release,
        /// Its Service.
        service: Service,
    },
    /// The release is known, but switched off in the file.
    Off {
        /// The release.
        release: &'a str,
    },
    /// `stack.yaml` names no such service.
    Unknown,
}

impl<'a> Offer<'a> {
    /// Returns what `stack` offers under `spec`.
    pub(crate) fn of(stack: &'a Stack, spec: Option<&'a ServiceSpec>) -> Self {
        let Some(spec) = spec else { return Self::Unknown };
        match stack.releases.iter().find(|release| release.name == spec.release) {
            Some(release) => Self::On {
                release,
                service: Service { namespace: release.namespace.clone(), name: spec.name.clone(), port: spec.port },
            },
            None => Self::Off { release: &spec.release },
        }
    }
}
