//! An open way from a local port to one in the cluster.

use std::io::{BufRead as _, BufReader, Read};
use std::net::SocketAddr;
use std::sync::Arc;

use super::invocation::Invocation;
use super::runner::{ExecError, Runner};

/// `kubectl port-forward`, ended when this is dropped.
#[derive(Debug)]
pub struct Forward {
    child: Arc<duct::ReaderHandle>,
    address: SocketAddr,
}

impl Forward {
    /// Returns the local address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Forward {
    fn drop(&mut self) {
        // One that has ended by itself is what is wanted.
        let _ = self.child.kill();
    }
}

/// Reads what the child says until it names its address; then goes on reading, so that the child never waits for a reader.
pub(super) fn open(command: &str, expression: &duct::Expression) -> Result<Forward, ExecError> {
    let failed = |source| ExecError::Spawn { command: command.to_owned(), source };
    let child = Arc::new(expression.stderr_to_stdout().reader().map_err(failed)?);
    let mut lines = BufReader::new(Output(Arc::clone(&child)));
    let mut said = String::new();
    let address = loop {
        let mut line = String::new();
        if lines.read_line(&mut line).map_err(failed)? == 0 {
            let stderr = said.trim_end().to_owned();
            return Err(ExecError::Exit { command: command.to_owned(), code: 1, stderr });
        }
        if let Some(address) = address(&line) {
            break address;
        }
        said.push_str(&line);
    };
    std::thread::spawn(move || std::io::copy(&mut lines, &mut std::io::sink()));
    Ok(Forward { child, address })
}

/// Reads `Forwarding from 127.0.0.1:40123 -> 5000`.
fn address(line: &str) -> Option<SocketAddr> {
    line.strip_prefix("Forwarding from ")?.split(" -> ").next()?.parse().ok()
}

struct Output(Arc<duct::ReaderHandle>);

impl Read for Output {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        (&*self.0).read(buffer)
    }
}

impl Runner {
    /// Starts `kubectl port-forward` and returns when the local port is open.
    pub async fn forward(&self, invocation: Invocation) -> Result<Forward, ExecError> {
        let runner = self.clone();
        let command = invocation.to_string();
        let opened = {
            let command = command.clone();
            tokio::task::spawn_blocking(move || open(&command, &runner.expression(&invocation))).await
        };
        opened.unwrap_or_else(|join| Err(ExecError::Spawn { command, source: std::io::Error::other(join.to_string()) }))
    }
}

#[cfg(test)]
mod tests {
    use super::address;

    #[test]
    fn the_address_is_read() {
        assert_eq!(address("Forwarding from 127.0.0.1:40123 -> 5000\n"), "127.0.0.1:40123".parse().ok());
        assert_eq!(address("error: unable to forward port because pod is not running\n"), None);
    }
}
