//! Whether the nodes have the images of this project, which no public registry is sure to have.

use serde_json::Value;

use super::{Check, Outcome};
use crate::config::Config;
use crate::images::IMAGES;
use crate::stack::Stack;

const TITLE: &str = "a node has the images of pipelines and model server";
const HINT: &str = "a registry must have them, or: mlopsctl images build, then images import (K3s) or push";

/// Looks for the images among those that the nodes report; a kubelet reports its 50 largest ones.
/// `objects` holds the nodes, and others that report none.
pub(super) fn check(stack: &Stack, config: &Config, objects: &[Value]) -> Check {
    let variables = stack.context.value();
    let wanted = IMAGES.iter().filter(|image| match image.name {
        "serving" => config.serving.enabled,
        _ => config.workflows.enabled,
    });
    let wanted: Vec<&str> = wanted.filter_map(|image| variables["vars"][image.variable].as_str()).collect();
    if wanted.is_empty() {
        return Check::new("images", TITLE, Outcome::Skipped, "workflows and serving are off", "");
    }
    let missing: Vec<&str> =
        wanted.into_iter().filter(|image| !objects.iter().any(|object| has(object, image))).collect();
    if missing.is_empty() {
        return Check::new("images", TITLE, Outcome::Passed, "", "");
    }
    Check::new("images", TITLE, Outcome::Warned, format!("none has {}", missing.join(" or ")), HINT)
}

fn has(node: &Value, image: &str) -> bool {
    let listed = node["status"]["images"].as_array().into_iter().flatten();
    let mut names = listed.flat_map(|entry| entry["names"].as_array().into_iter().flatten()).filter_map(Value::as_str);
    // A name without a registry is one of docker.io.
    names.any(|name| name == image || name.strip_suffix(image).is_some_and(|registry| registry.ends_with('/')))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::has;

    #[test]
    fn an_image_is_found_with_and_without_its_registry() {
        let node = json!({"status": {"images": [{"names": ["docker.io/mlopsctl/pipelines:0.1.0", "sha256:1"]}]}});
        assert!(has(&node, "docker.io/mlopsctl/pipelines:0.1.0"));
        assert!(has(&node, "mlopsctl/pipelines:0.1.0"));
        assert!(!has(&node, "pipelines:0.1.1"));
        assert!(!has(&node, "lopsctl/pipelines:0.1.0"));
        assert!(!has(&json!({}), "mlopsctl/pipelines:0.1.0"));
    }
}
