//! The `mlopsctl` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    mlopsctl::run(std::env::args_os()).into()
}
