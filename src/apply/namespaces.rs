//! Stage 0: the namespaces.

use serde_json::{Value, json};

use crate::cluster::{CREATED_LABEL, STACK_LABEL};
use crate::exec::{ExecError, Invocation, Runner, Tool};
use crate::kubectl;
use crate::plan::NamespacePlan;

/// Creates the missing namespaces and marks existing ones as part of the stack.
pub(super) async fn apply(runner: &Runner, stack: &str, plans: &[NamespacePlan]) -> Result<(), ExecError> {
    let (create, label): (Vec<_>, Vec<_>) = plans.iter().partition(|plan| plan.create);
    let objects: Vec<Value> = create.into_iter().map(|plan| namespace(stack, plan)).collect();
    if !objects.is_empty() {
        match runner.run(kubectl::create(&objects)).await {
            Err(error) if !kubectl::already_exists(&error) => return Err(error),
            _ => {}
        }
    }
    if !label.is_empty() {
        // The Pod Security level of a namespace that somebody else made stays as it is.
        let call = Invocation::new(Tool::Kubectl, ["label", "namespace", "--overwrite"]);
        let names = label.into_iter().map(|plan| plan.name.clone());
        runner.run(call.args(names).arg(format!("{STACK_LABEL}={stack}"))).await?;
    }
    Ok(())
}

fn namespace(stack: &str, plan: &NamespacePlan) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": plan.name, "labels": {
            STACK_LABEL: stack,
            CREATED_LABEL: "true",
            "pod-security.kubernetes.io/enforce": plan.pod_security,
            "pod-security.kubernetes.io/warn": plan.pod_security,
        }},
    })
}
