//! Rebuilds when an embedded file changes: `include_dir` alone does not tell cargo about new files.

fn main() {
    for path in ["stack.yaml", "helm-values", "charts", "k8s", "workflows"] {
        println!("cargo::rerun-if-changed={path}");
    }
}
