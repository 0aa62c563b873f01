//! Running `helm` and `kubectl`.

mod forward;
mod invocation;
mod runner;
mod tools;

pub use forward::Forward;
pub use invocation::{Invocation, Signals, Stdin, Stream, Tool};
pub use runner::{ExecError, Output, Runner, Target};
pub use tools::{MINIMUM_HELM, ToolError, ToolPaths, Tools, find_engine};
