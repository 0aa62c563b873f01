//! What the stack is made of: `stack.yaml`, resolved for one config.

mod catalog;
mod context;
mod graph;
mod resolve;
mod secrets;
mod services;
mod source;

pub use catalog::{
    Alphabet, ChartSpec, CrdSpec, HoldSpec, KeyRule, NeedSpec, RandomRule, ReadySpec, ReleaseSpec, SecretSpec,
    ServiceSpec, ServiceSpecs, StackFile, Ui, Until,
};
pub use context::Context;
pub use resolve::{ChartRef, Namespace, Need, Release, Secret, Stack, StackError, resolve};
pub use secrets::{SecretContent, SecretError, derive_keys, random_text};
pub(crate) use services::Offer;
pub(crate) use source::read_folder;
pub use source::{SourceError, StackSource};
