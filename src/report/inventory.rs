//! What `down` found, as data.

use serde::Serialize;

/// What becomes of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Fate {
    /// It stays.
    Keep,
    /// It goes.
    Delete,
}

impl Fate {
    /// Returns the fate of what stays only under a condition.
    pub const fn kept_if(stays: bool) -> Self {
        if stays { Self::Keep } else { Self::Delete }
    }

    /// Returns the word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Delete => "delete",
        }
    }
}

/// What of a stack was in the cluster before `down` began, and what was to become of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Inventory {
    /// Volume claims of the releases.
    pub volumes: Vec<Volume>,
    /// What the volumes hold, by the release that was asked.
    pub contents: Vec<Contents>,
    /// The model registry; none where it is not installed.
    pub models: Option<Registry>,
    /// Secrets that `mlopsctl` made.
    pub secrets: Vec<SecretEntry>,
    /// CustomResourceDefinitions that `mlopsctl` applied.
    pub crds: Vec<Definition>,
    /// Objects of these kinds that somebody else made, in any namespace. They stay.
    pub custom_resources: Vec<CustomResource>,
}

/// A volume claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Volume {
    /// Its release.
    pub release: String,
    /// What the release is.
    #[serde(skip)]
    pub title: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its size, as Kubernetes writes it.
    pub size: String,
    /// What becomes of it.
    pub fate: Fate,
}

/// What the volumes of a release hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Contents {
    /// The release.
    pub release: String,
    /// What the release is.
    #[serde(skip)]
    pub title: String,
    /// Its namespace.
    pub namespace: String,
    /// What an item is, such as `database`.
    pub what: String,
    /// The items.
    pub items: Vec<Item>,
    /// Why they are not known, such as `could not be asked`.
    pub problem: Option<String>,
    /// What becomes of them: the same as of the release's volumes.
    pub fate: Fate,
}

/// Something that a volume holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Item {
    /// Its name.
    pub name: String,
    /// Its size, where it is known.
    pub bytes: Option<u64>,
}

/// The model registry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Registry {
    /// The release that keeps it.
    pub release: String,
    /// How many models are registered, where it is known.
    pub models: Option<usize>,
    /// How many versions they have.
    pub versions: Option<usize>,
    /// Why that is not known.
    pub problem: Option<String>,
    /// What becomes of it: it stays if all volumes do that its release works with.
    pub fate: Fate,
}

/// A Secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SecretEntry {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// What becomes of it.
    pub fate: Fate,
}

/// A CustomResourceDefinition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Definition {
    /// Its name.
    pub name: String,
    /// What becomes of it.
    pub fate: Fate,
}

/// A custom resource of somebody else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CustomResource {
    /// The name of its CustomResourceDefinition.
    pub crd: String,
    /// Its namespace; empty for cluster-scoped objects.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its finalizers, which nobody takes off once its operator is gone.
    pub finalizers: Vec<String>,
}
