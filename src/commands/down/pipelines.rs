//! The templates that `pipeline run` has put into the cluster.

use crate::cluster::STACK_LABEL;
use crate::exec::{ExecError, Runner};
use crate::kubectl;
use crate::stack::Stack;

/// Deletes the stack's own `WorkflowTemplate`s. Workflows stay: they are the user's.
pub(super) async fn delete_templates(runner: &Runner, stack: &Stack) -> Result<(), ExecError> {
    let call = kubectl::delete(["workflowtemplates.argoproj.io"], None);
    let selector = format!("{STACK_LABEL}={}", stack.id);
    match runner.run(call.args(["--all-namespaces", "--selector", &selector])).await {
        // Where the kind is unknown there are none.
        Err(error) if error.stderr().contains("the server doesn't have a resource type") => Ok(()),
        result => result.map(|_| ()),
    }
}
