//! Ctrl-C and SIGTERM while a command works on the cluster.

use std::convert::Infallible;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::error::{CommandError, ExitStatus};
use crate::exec::Runner;
use crate::printer::{Printer, Tone};

/// The signals that end a run in good order. Made once per command, since a signal that comes between two attempts waits
/// here for the next one.
#[derive(Debug)]
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// Takes the signals over from here on.
    pub(super) fn new() -> Result<Self, CommandError> {
        let listen = |kind| signal(kind).map_err(|error| CommandError::new(ExitStatus::Bug, error));
        Ok(Self { interrupt: listen(SignalKind::interrupt())?, terminate: listen(SignalKind::terminate())? })
    }

    /// On the first signal no further step starts and running ones end by themselves; on the second they get SIGTERM.
    ///
    /// A Ctrl-C on the terminal reaches helm too, which is in our process group and writes the release down as failed. A
    /// SIGTERM reaches only us and is passed on.
    pub(super) async fn watch(&mut self, runner: &Runner, printer: Printer) -> Infallible {
        loop {
            let pass_on = tokio::select! {
                _ = self.interrupt.recv() => runner.is_interrupted(),
                _ = self.terminate.recv() => true,
            };
            if !runner.is_interrupted() {
                let label = printer.paint(Tone::Warn, "interrupted:");
                printer.complain(&format!("{label} ending the running steps, once more to hurry"));
            }
            runner.interrupt();
            if pass_on {
                runner.terminate();
            }
        }
    }
}
