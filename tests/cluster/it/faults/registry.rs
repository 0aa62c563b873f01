//! A registry on the real node that has no image, and denies access to some.

use std::fs;

use serde_json::{Value, json};

use crate::cluster::{kubectl, kubectl_command, kubectl_with, variable};

const NAMESPACE: &str = "fault-registry";
const PORT: u16 = 5077;
/// containerd talks plain HTTP to localhost only.
const ADDRESS: &str = "localhost:5077";

const SERVER: &str = "
import http.server
class Registry(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(401 if self.path.startswith('/v2/closed/') else 404)
        self.send_header('Content-Length', '0')
        self.end_headers()
    do_HEAD = do_GET
http.server.ThreadingHTTPServer(('127.0.0.1', PORT), Registry).serve_forever()
";

/// Starts it and returns what the words in `real.yaml` stand for.
pub(super) fn start() -> Vec<(&'static str, String)> {
    let folder = variable("MLOPSCTL_TEST_CLUSTER").expect("MLOPSCTL_TEST_CLUSTER names a cluster with a real node");
    let images = fs::read_to_string(folder.join("images.yaml")).expect("`--nodes real` writes it");
    let images: Value = serde_saphyr::from_str(&images).unwrap();
    let image = |name: &str| images["images"][name].as_str().unwrap().to_owned();
    let (python, mlflow) = (image("pipelines"), image("mlflow"));
    stop();
    kubectl(["create", "namespace", NAMESPACE]);
    let pod = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "registry", "namespace": NAMESPACE},
        "spec": {
            "hostNetwork": true,
            "containers": [{
                "name": "main", "image": python,
                "command": ["python", "-c", SERVER.replace("PORT", &PORT.to_string())],
            }],
        },
    });
    kubectl_with(["create", "-f", "-"], &pod);
    kubectl(["wait", "--for=condition=Ready", "pod/registry", "-n", NAMESPACE, "--timeout=60s"]);
    vec![("PYTHON", python), ("MLFLOW", mlflow), ("REGISTRY", ADDRESS.to_owned())]
}

/// Takes it away.
pub(super) fn stop() {
    let _ = kubectl_command(["delete", "namespace", NAMESPACE, "--ignore-not-found"]).output();
}
