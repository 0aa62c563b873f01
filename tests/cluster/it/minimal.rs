//! From an empty folder, with an empty environment.

use std::fs;
use std::path::PathBuf;

use crate::acceptance::ALL;
use crate::cluster::{cluster, command, objects, whole_cluster};
use crate::stack::{Ended, assert_only};

#[test]
fn the_binary_and_two_tools_are_enough() {
    let _whole = whole_cluster();
    let taken = objects(["namespaces", "mlops-system", "mlops-dev", "mlops-prod"]);
    assert!(taken.is_empty(), "the default namespaces must be free: {taken:?}");
    let folder = cluster().scratch.join("bare");
    let (bin, work) = (folder.join("bin"), folder.join("work"));
    fs::create_dir_all(&bin).unwrap();
    fs::create_dir_all(&work).unwrap();
    std::os::unix::fs::symlink(&cluster().helm, bin.join("helm")).unwrap();
    std::os::unix::fs::symlink(&cluster().kubectl, bin.join("kubectl")).unwrap();
    let program = folder.join("mlopsctl");
    fs::copy(env!("CARGO_BIN_EXE_mlopsctl"), &program).unwrap();
    let cache = folder.join("cache");
    let _clean = Clean(work.clone());
    let run = |args: &[&str]| {
        let mut bare = command(&program);
        bare.args(args).arg("--kubeconfig").arg(&cluster().kubeconfig).arg("--cache-dir").arg(&cache);
        bare.arg("--charts").arg(&cluster().charts).current_dir(&work).env_clear().env("PATH", &bin);
        Ended::new(&args.join(" "), bare.output().unwrap())
    };
    let installed = run(&["install", "--yes", "--output", "json"]).code(0);
    assert_only(&installed.actions(), "installed", &ALL);
    assert!(run(&["status", "--output", "json"]).code(0).json()["healthy"] == true);
    let mut names: Vec<_> = fs::read_dir(&work).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.retain(|name| !name.to_string_lossy().starts_with('.'));
    names.sort();
    assert_eq!(names, ["mlops.lock", "mlops.yaml"]);

    let upgraded = run(&["upgrade", "--yes", "--output", "json"]).code(0).says("nothing to do");
    assert_only(&upgraded.actions(), "unchanged", &[]);
    let file = fs::read_to_string(work.join("mlops.yaml")).unwrap();
    let id = file.lines().find(|line| line.starts_with("stackId: ")).unwrap().split('"').nth(1).unwrap();
    run(&["down", "--purge", "--yes", "--output", "json"]).code(2).says(id);
    run(&["down", "--purge", "--confirm", id, "--output", "json"]).code(0);
    assert!(objects(["namespaces", "mlops-system", "mlops-dev", "mlops-prod"]).is_empty());
}

/// Removes what a failed test leaves.
struct Clean(PathBuf);

impl Drop for Clean {
    fn drop(&mut self) {
        let Ok(file) = fs::read_to_string(self.0.join("mlops.yaml")) else { return };
        let Some(id) = file.lines().find(|line| line.starts_with("stackId: ")).and_then(|line| line.split('"').nth(1))
        else {
            return;
        };
        let mut down = command(env!("CARGO_BIN_EXE_mlopsctl"));
        down.args(["down", "--purge", "--yes", "--confirm", id, "--quiet", "--kubeconfig"]).arg(&cluster().kubeconfig);
        down.arg("--helm").arg(&cluster().helm).arg("--kubectl").arg(&cluster().kubectl).current_dir(&self.0);
        let _ = down.output();
    }
}
