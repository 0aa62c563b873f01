//! Stage 0: the namespaces.

use serde_json::json;

use crate::cluster::{CREATED_LABEL, STACK_LABEL};
use crate::exec::{ExecError, Invocation, Runner, Tool};
use crate::kubectl;
use crate::plan::NamespacePlan;

/// Creates the missing namespaces and marks existing ones as part of the stack.
pub(super) async fn apply(runner: &Runner, stack: &str, plans: &[NamespacePlan]) -> Result<(), ExecError> {
    for plan in plans {
        if plan.create {
            let object = json!({
                "apiVersion": "v1",
                "kind": "Namespace",
                "metadata": {"name": plan.name, "labels": {
                    STACK_LABEL: stack,
                    CREATED_LABEL: "true",
                    "pod-security.kubernetes.io/enforce": plan.pod_security,
                    "pod-security.kubernetes.io/warn": plan.pod_security,
                }},
            });
            match runner.run(kubectl::create(&object, &plan.name)).await {
                Err(error) if !kubectl::already_exists(&error) => return Err(error),
                _ => {}
            }
        } else {
            // The Pod Security level of a namespace that somebody else made stays as it is.
            let label = format!("{STACK_LABEL}={stack}");
            runner
                .run(Invocation::new(Tool::Kubectl, ["label", "namespace", &plan.name, &label, "--overwrite"]))
                .await?;
        }
    }
    Ok(())
}
