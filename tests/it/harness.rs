//! Runs the real program in a folder of its own, with an environment that the test decides.

use std::fmt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use tempfile::TempDir;

/// The variable that names the folder with the real `helm`, `helm3` and `kubectl`.
const TEST_BIN: &str = "MLOPSCTL_TEST_BIN";

/// A folder to run in: `work/` is the current one, `home/` the home, `bin/` all of PATH.
pub(crate) struct Project {
    root: TempDir,
    env: Vec<(String, String)>,
}

impl Project {
    pub(crate) fn new() -> Self {
        let root = tempfile::Builder::new().prefix("mlopsctl-it-").tempdir().unwrap();
        for folder in ["project", "home", "bin"] {
            fs_err::create_dir(root.path().join(folder)).unwrap();
        }
        Self { root, env: Vec::new() }
    }

    /// A project whose `mlops.yaml` is `text` below the line with the API version.
    pub(crate) fn with(text: &str) -> Self {
        Self::new().file("mlops.yaml", &format!("{HEAD}{text}"))
    }

    pub(crate) fn file(self, path: &str, text: &str) -> Self {
        let path = self.path(path);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, text).unwrap();
        self
    }

    pub(crate) fn link(self, path: &str, target: &Path) -> Self {
        let path = self.path(path);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        symlink(target, path).unwrap();
        self
    }

    /// Puts a shell script on PATH.
    pub(crate) fn executable(self, name: &str, script: &str) -> Self {
        let path = self.root.path().join("bin").join(name);
        fs_err::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs_err::set_permissions(path, PermissionsExt::from_mode(0o755)).unwrap();
        self
    }

    /// Puts a real tool on PATH.
    pub(crate) fn real(self, name: &str) -> Self {
        let path = self.root.path().join("bin").join(name);
        symlink(real_tool(name), path).unwrap();
        self
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A path below the current folder of the program.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.root.path().join("project").join(path)
    }

    pub(crate) fn read(&self, path: &str) -> String {
        fs_err::read_to_string(self.path(path)).unwrap()
    }

    /// Runs the program to its end. Its standard streams are pipes, never a terminal.
    pub(crate) fn run<S: AsRef<str>>(&self, args: impl IntoIterator<Item = S>) -> Outcome {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mlopsctl"));
        command
            .env_clear()
            .env("PATH", self.root.path().join("bin"))
            .env("HOME", self.root.path().join("home"))
            .env("XDG_CACHE_HOME", self.root.path().join("home/.cache"))
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .current_dir(self.root.path().join("project"))
            .args(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        let output = command.output().unwrap();
        let text = |bytes: Vec<u8>| {
            let text = String::from_utf8(bytes).unwrap();
            // The system may know the temporary folder by another name too.
            let real = fs_err::canonicalize(self.root.path()).unwrap();
            text.replace(real.to_str().unwrap(), "[ROOT]").replace(self.root.path().to_str().unwrap(), "[ROOT]")
        };
        Outcome { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// Runs `config validate`, which must find fault with the file at a place, and returns what it says.
    #[track_caller]
    pub(crate) fn problems(&self) -> String {
        let outcome = self.run(["config", "validate"]);
        assert_eq!(outcome.code, Some(2), "{outcome}");
        assert_eq!(outcome.stdout, "", "problems are no data");
        let place = outcome.stderr.strip_prefix("mlops.yaml:").and_then(|rest| rest.split_once(": "));
        let is_place = place.is_some_and(|(place, _)| {
            place
                .split_once(':')
                .is_some_and(|(line, column)| line.parse::<u32>().is_ok() && column.parse::<u32>().is_ok())
        });
        assert!(is_place, "not FILE:LINE:COLUMN in front: {outcome}");
        outcome.stderr
    }
}

/// The first line of every config file.
pub(crate) const HEAD: &str = "apiVersion: mlopsctl.dev/v1alpha1\n";

/// How a run ended; `Display` is the form of the snapshots.
pub(crate) struct Outcome {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Outcome {
    #[track_caller]
    pub(crate) fn success(self) -> Self {
        assert_eq!(self.code, Some(0), "{self}");
        self
    }

    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("not one JSON document: {error}\n{self}"))
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = self.code.map_or_else(|| "none, ended by a signal".to_owned(), |code| code.to_string());
        writeln!(f, "exit code: {code}")?;
        writeln!(f, "----- stdout -----\n{}", self.stdout)?;
        write!(f, "----- stderr -----\n{}", self.stderr)
    }
}

/// Returns the path of `helm` (Helm 4), `helm3` or `kubectl`.
#[expect(clippy::disallowed_methods, reason = "the tests' own variable")]
fn real_tool(name: &str) -> PathBuf {
    let Some(folder) = std::env::var_os(TEST_BIN) else {
        panic!(
            "this test needs the real {name}: set {TEST_BIN} to a folder with helm, helm3 and kubectl (`make test` does; `tests/cluster/cluster up --dir DIR` makes DIR/bin)"
        );
    };
    let path = Path::new(&folder).join(name);
    assert!(path.is_file(), "{TEST_BIN} holds no {name}: {}", path.display());
    path
}

/// Returns a path below the package's folder.
pub(crate) fn package(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Compares with an inline snapshot, with what differs from run to run replaced.
macro_rules! snapshot {
    ($value:expr, @$text:literal) => {
        insta::with_settings!({filters => vec![
            (r"mlops-[0-9a-f]{8}", "mlops-[ID]"),
            (r"sha256:[0-9a-f]{64}", "sha256:[DIGEST]"),
            (r"/[^ ]*/\.tmp\w{6}", "[TMP]"),
            // clap indents empty lines.
            (r"(?m) +$", ""),
        ]}, {
            insta::assert_snapshot!($value.to_string(), @$text);
        })
    };
}
pub(crate) use snapshot;
