//! Running a program and noting its time and memory.

use std::io::BufRead as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How a program ran.
#[derive(Debug)]
pub(crate) struct Run {
    /// Wall time.
    pub(crate) time: Duration,
    /// Largest resident set of the process itself, without its children, in MB.
    pub(crate) rss_mb: f64,
    /// Lines of standard error with the time at which they came.
    pub(crate) lines: Vec<(Duration, String)>,
}

/// Runs a program to its end; a failure ends the benchmark.
#[expect(clippy::disallowed_methods, reason = "the benchmark runs the product from outside")]
pub(crate) fn run(program: &Path, args: &[&str], folder: &Path, environment: &[(String, String)]) -> Run {
    let started = Instant::now();
    let mut child = Command::new(program)
        .args(args)
        .current_dir(folder)
        .envs(environment.iter().cloned())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let status_file = format!("/proc/{}/status", child.id());
    let stderr = child.stderr.take().expect("stderr is piped");
    let reader = std::thread::spawn(move || {
        let lines = std::io::BufReader::new(stderr).lines().map_while(Result::ok);
        lines.map(|line| (started.elapsed(), line)).collect::<Vec<_>>()
    });
    let mut rss_mb = 0.0_f64;
    let status = loop {
        // The peak is kept by the kernel, so the last look before the end has it.
        if let Ok(text) = std::fs::read_to_string(&status_file)
            && let Some(line) = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))
        {
            let kilobytes: f64 = line.trim().trim_end_matches(" kB").parse().unwrap_or(0.0);
            rss_mb = rss_mb.max(kilobytes / 1000.0);
        }
        if let Some(status) = child.try_wait().expect("the program can be waited for") {
            break status;
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let time = started.elapsed();
    let lines = reader.join().expect("stderr is read");
    assert!(status.success(), "{} {args:?} failed: {lines:#?}", program.display());
    Run { time, rss_mb, lines }
}
